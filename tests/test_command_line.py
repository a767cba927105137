"""Exit codes and the line on stderr."""

from __future__ import annotations

import sys
import time

import pytest

from augment.command_line import exit_code_of


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines"), 2, "error: two lines"),
        (FileNotFoundError(2, "no such study", "a.yaml"), 2, "error: a.yaml: no such study"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device"),
        (OSError("a worker process died"), 2, "error: a worker process died"),
        (KeyboardInterrupt(), 130, "interrupted: what was finished is kept; run the same command again to go on"),
    ],
)
def test_an_error_becomes_an_exit_code_and_one_line(error, code, line, capsys):
    assert exit_code_of(raising(error)) == code
    assert capsys.readouterr().err.strip() == line


def test_success_is_zero_and_a_mistake_in_the_code_is_raised(capsys):
    assert exit_code_of(lambda: None) == 0
    with pytest.raises(TypeError):
        exit_code_of(raising(TypeError("a mistake in the code")))
    assert capsys.readouterr().err == ""


def test_after_ctrl_c_what_was_half_made_says_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # set back afterwards
    assert exit_code_of(raising(KeyboardInterrupt())) == 130

    class HalfMade:
        def __del__(self) -> None:
            raise AttributeError("never finished")

    HalfMade()
    assert capsys.readouterr().err.strip().splitlines() == [
        "interrupted: what was finished is kept; run the same command again to go on"
    ]


def test_ctrl_c_is_not_lost_in_a_destructor(monkeypatch, capsys):
    """Python drops what a destructor raises: the command would go on."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    class TornDown:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def command() -> None:
        TornDown()
        time.sleep(20)

    assert exit_code_of(command) == 130
    assert "interrupted" in capsys.readouterr().err
