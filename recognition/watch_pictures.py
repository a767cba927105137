"""A timeline as a picture, and the watched video with what the classifier saw drawn into it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import UInt8

from augment.files import open_atomic
from augment.sources.video import VideoInfo, read_frames

from .plots import COLORS
from .watch import NOBODY, Timeline

THUMBNAILS = 10
"""Pictures of the video above the curves."""
HEIGHT = 480
"""Larger videos are annotated at this height, pixels."""
LEAST_HEIGHT = 240
"""Smaller ones at this one, so that the text can be read."""
RED = "#dc2828"
OTHERS = (
    *(color for color in COLORS if color != "#b04a5a"),
    "#123a6b", "#3aa6a0", "#c9c13b", "#c48fb0", "#1f5a34", "#8c5a33", "#b9b9b9", "#20242b",
)  # fmt: skip
"""Colours of the classes that are not watched; repeated only beyond so many."""


def draw_timeline(timeline: Timeline, *, video: VideoInfo, title: str) -> bytes:
    """A PNG: pictures of the video, the probability of every class over time, alarms."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, ha="left", x=0.01)
    strip, curves, classes = figure.subplots(3, 1, sharex=True, height_ratios=[1.4, 2.2, 2.0])
    seconds = video.frames / video.fps
    _thumbnails(strip, video, seconds)
    probabilities = timeline.seen.probabilities
    shown = probabilities[:, timeline.classes.index(timeline.watched_for)]
    curves.plot(timeline.seen.middles, shown, ".-", color=RED, lw=1.4, ms=3)
    curves.axhline(timeline.rule.threshold, color="black", lw=0.7, ls="--", label="alarm begins")
    curves.axhline(timeline.rule.threshold * timeline.rule.release, color="black", lw=0.7, ls=":", label="alarm ends")
    for alarm in timeline.alarms:
        for axes in (strip, curves):
            axes.axvspan(alarm.start_sec, alarm.end_sec, color=RED, alpha=0.25, lw=0)
        curves.axvline(alarm.raised_sec, color="#b00000", lw=1)
        curves.text(alarm.raised_sec, 1.03, f" raised {alarm.raised_sec:.1f} s", fontsize=8, color="#b00000")
    curves.set_ylim(0, 1.12)
    curves.set_ylabel(f"probability of {timeline.watched_for}")
    curves.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    steps = np.vstack([probabilities, probabilities[-1:]]).T
    classes.stackplot(
        timeline.seen.edges, steps, step="post", labels=timeline.classes, colors=class_colors(timeline), lw=0
    )  # fmt: skip
    classes.set_ylim(0, 1)
    classes.set_ylabel("all classes")
    classes.set_xlabel("seconds")
    classes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    for axes in (curves, classes):
        axes.set_xlim(0, seconds)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def class_colors(timeline: Timeline) -> list[str]:
    """A colour for each class, red for the watched one."""
    others = iter(itertools.cycle(OTHERS))
    return [RED if name == timeline.watched_for else next(others) for name in timeline.classes]


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _thumbnails(axes: Any, video: VideoInfo, seconds: float) -> None:
    numbers = ((np.arange(THUMBNAILS) + 0.5) / THUMBNAILS * video.frames).astype(int)
    width = seconds / THUMBNAILS
    for number, picture in read_frames(video.path, np.unique(numbers)):
        small = cv2.resize(picture, (160, round(160 * video.height / video.width)), interpolation=cv2.INTER_AREA)
        place = int(np.flatnonzero(numbers == number)[0])
        axes.imshow(small, extent=(place * width, (place + 0.96) * width, 0, 1), aspect="auto")
    axes.set_ylim(0, 1)
    axes.set_axis_off()


def annotate_video(
    timeline: Timeline, path: Path, *, video: VideoInfo, progress: Callable[[int, int], Any] = lambda done, total: None
) -> None:
    """Write the video with the most probable class, a bar for each class, and a red frame during an alarm.

    One frame is held at a time.
    """
    height = min(max(video.height, LEAST_HEIGHT), HEIGHT) // 2 * 2
    width = max(2, round(video.width * height / video.height / 2) * 2)
    with open_atomic(path) as stream:
        _write_mp4(stream, _annotated(timeline, video, width, height, progress), fps=video.fps, size=(width, height))


def _annotated(
    timeline: Timeline, video: VideoInfo, width: int, height: int, progress: Callable[[int, int], Any]
) -> Iterable[UInt8[np.ndarray, "h w 3"]]:
    inner = timeline.seen.edges[1:-1]
    for number, picture in read_frames(video.path):
        time = (number + 0.5) / video.fps
        row = int(np.searchsorted(inner, time, side="right"))
        alarm = any(alarm.start_sec <= time < alarm.end_sec for alarm in timeline.alarms)
        frame = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        yield draw_frame(frame, timeline, row, time=time, alarm=alarm)
        progress(number + 1, video.frames)


def draw_frame(
    frame: UInt8[np.ndarray, "h w 3"], timeline: Timeline, row: int, *, time: float, alarm: bool
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw one window's probabilities onto a frame."""
    frame, (height, width) = frame.copy(), frame.shape[:2]
    line = max(11, min(20, height // (len(timeline.classes) + 4)))
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, line / 32
    panel = frame[: line * (len(timeline.classes) + 2), : min(width, 12 * line)]
    panel[:] = panel // 4
    probabilities = timeline.seen.probabilities[row]
    best = int(timeline.seen.likeliest[row])
    title = f"{timeline.classes[best] if best >= 0 else NOBODY}  {time:.1f} s"
    cv2.putText(frame, title, (6, round(1.1 * line)), font, scale * 1.3, (255, 255, 255), 1, cv2.LINE_AA)
    for index, (name, color) in enumerate(zip(timeline.classes, class_colors(timeline), strict=True)):
        top = round((index + 1.6) * line)
        length = round(float(probabilities[index]) * 5.4 * line)
        cv2.rectangle(frame, (6 * line, top + 2), (6 * line + length, top + line - 2), _rgb(color), -1)
        cv2.putText(frame, name[:12], (6, top + round(0.8 * line)), font, scale, (235, 235, 235), 1, cv2.LINE_AA)
    if alarm:
        thick = max(4, height // 40)
        cv2.rectangle(frame, (0, 0), (width - 1, height - 1), _rgb(RED), thick)
        text = f"ALARM: {timeline.watched_for}"
        cv2.putText(
            frame, text, (thick + 4, height - thick - 8), font, height / 400, _rgb(RED), max(1, height // 200), cv2.LINE_AA
        )
    return frame


def _write_mp4(stream: Any, frames: Iterable[np.ndarray], *, fps: float, size: tuple[int, int]) -> None:
    import av
    from av.video.stream import VideoStream

    with av.open(stream, "w", format="mp4") as container:
        output = cast(VideoStream, container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001)))
        output.width, output.height = size
        output.pix_fmt = "yuv420p"
        output.options = {"crf": "23", "preset": "veryfast"}
        for picture in frames:
            container.mux(output.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(output.encode(None))
