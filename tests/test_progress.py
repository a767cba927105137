"""Laws of the progress display: off a terminal it is plain lines, at the start, regularly, and at the end."""

from __future__ import annotations

import time

import pytest

from augment import progress as module
from augment.progress import Progress, track


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [line.rpartition(" (")[0] for line in captured.err.splitlines()]


def test_off_a_terminal_each_work_has_a_first_and_a_last_line(capsys: pytest.CaptureFixture[str]):
    with Progress() as progress:
        progress.update("rooms", 0, 2)
        for done in range(3):
            progress.update("rooms", done, 2)
        for done in range(100):
            progress.update("clips", done, note=f"{done // 50} rejected")
    assert lines(capsys) == ["rooms: 0/2", "clips: 0, 0 rejected", "rooms: 2/2", "clips: 99, 1 rejected"]


def test_a_long_step_is_not_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "EVERY_SEC", 0.05)
    with Progress() as progress:
        progress.update("clips", 3, 5)
        time.sleep(0.5)
    shown = lines(capsys)
    assert 3 <= len(shown) <= 12
    assert set(shown) == {"clips: 3/5"}


def test_an_error_ends_the_lines_where_the_work_was(capsys: pytest.CaptureFixture[str]):
    def work() -> None:
        with Progress() as progress:
            progress.update("clips", 0, 5)
            progress.update("clips", 2, 5)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert lines(capsys) == ["clips: 0/5", "clips: 2/5"]


def test_tracked_items_pass_unchanged(capsys: pytest.CaptureFixture[str]):
    assert list(track("abc", "letters", total=3)) == ["a", "b", "c"]
    assert lines(capsys) == ["letters: 0/3", "letters: 3/3"]
