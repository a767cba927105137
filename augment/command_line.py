"""How a command ends: exit codes, and one line instead of a traceback for errors that a user can correct."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command and say on stderr why it failed.

    Returns:
        0 on success, 2 after a ``ValueError`` or ``OSError``, 130 after Ctrl-C. Other errors are raised.
    """
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: _repeat_interrupt(unraisable, before)
    try:
        command()
    except KeyboardInterrupt:
        # what was half made when Ctrl-C came cannot be torn down, and Python would tell so after the line
        sys.unraisablehook = before = lambda _: None
        print("\ninterrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    finally:
        sys.unraisablehook = before
    return 0


def _repeat_interrupt(unraisable: Any, otherwise: Callable[[Any], object]) -> None:
    """Send Ctrl-C once more if it came while an object was torn down, where Python drops it (numba tears down many)."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        again = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))  # later: this is still the destructor
        again.daemon = True
        again.start()
    else:
        otherwise(unraisable)


def _one_line(error: Exception) -> str:
    """The error's message; with the file's name for errors of the operating system, which omit it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
