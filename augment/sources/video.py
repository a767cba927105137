"""Video files through PyAV: size, rate and frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """Properties of a video file."""

    path: Path
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fps: float
    frames: int
    """Number of frames the container declares, counted by decoding where it declares none."""


def probe(path: Path | str) -> VideoInfo:
    """Size, rate and frame count of a video file.

    Raises:
        ValueError: If the file is absent, is no video, or is cut off before its index.
    """
    import av

    path = Path(path)
    with _open(path) as container:
        stream = container.streams.video[0]
        frames = stream.frames
        if not frames:
            frames = sum(1 for _ in _decode(container, path))
        rate = stream.average_rate or stream.guessed_rate or av.time_base
        return VideoInfo(path=path, width=stream.width, height=stream.height, fps=float(rate), frames=frames)


def read_frames(path: Path | str, indices: np.ndarray | None = None) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
    """Yield (frame number, RGB) in order, decoding one frame at a time; with ``indices`` only those.

    Raises:
        ValueError: If the file is absent, is no video, is damaged, or ends before the number of frames it declares.
    """
    path = Path(path)
    wanted = None if indices is None else {int(i) for i in indices}
    last = max(wanted, default=-1) if wanted is not None else None
    with _open(path) as container:
        declared, seen = container.streams.video[0].frames, 0
        for frame in _decode(container, path):
            if wanted is None or seen in wanted:
                yield seen, frame.to_ndarray(format="rgb24")
            seen += 1
            if last is not None and seen > last:
                return
    if not seen or seen < declared - max(2, declared // 50):
        raise ValueError(
            f"{path}: the video is truncated: it declares {declared} frames and {seen} could be decoded; "
            "copy it again from its source, or re-encode the readable part (ffmpeg -i IN -c:v libx264 OUT.mp4)"
        )
    if last is not None and seen <= last:
        raise ValueError(f"{path}: frame {last} was asked for and the video has only {seen}")


def _open(path: Path):
    import av
    from av.error import FFmpegError

    if not path.is_file():
        raise ValueError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty; copy the video again from its source")
    try:
        container = av.open(str(path))
    except FFmpegError as error:
        raise ValueError(
            f"{path}: cannot be opened as a video ({error.strerror}); an mp4 that is cut off before its index "
            "('moov') looks like this: it is truncated or no video, so copy it again from its source"
        ) from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path}: holds no video stream (only {[s.type for s in container.streams]})")
    container.streams.video[0].thread_type = "NONE"
    return container


def _decode(container, path: Path):
    from av.error import FFmpegError

    seen = 0
    try:
        for frame in container.decode(video=0):
            yield frame
            seen += 1
    except FFmpegError as error:
        raise ValueError(
            f"{path}: the video is truncated or damaged: decoding failed after {seen} frames ({error.strerror}); "
            "copy it again from its source"
        ) from error
