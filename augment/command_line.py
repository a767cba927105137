"""How a command ends: exit codes, and one line instead of a traceback for errors that a user can correct."""

from __future__ import annotations

import sys
from collections.abc import Callable


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command and say on stderr why it failed.

    Returns:
        0 on success, 2 after a ``ValueError`` or ``OSError``, 130 after Ctrl-C. Other errors are raised.
    """
    try:
        command()
    except KeyboardInterrupt:
        # what was half made when Ctrl-C came cannot be torn down, and Python would tell so after the line
        sys.unraisablehook = lambda _: None
        print("\ninterrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _one_line(error: Exception) -> str:
    """The error's message; with the file's name for errors of the operating system, which omit it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
