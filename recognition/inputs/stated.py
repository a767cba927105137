"""What a video file says of itself, without decoding it: a table's row and keypoints must be of this very video."""

from __future__ import annotations

from pathlib import Path

from ..recordings import Recording

SHORTEST_SHARE = 0.9
"""A video with less than this share of the frames that its table states counts as truncated."""


def picture_size(recording: Recording) -> tuple[int, int] | None:
    """Width and height of a recording's pictures, pixels; None where there are none, only keypoints.

    Raises:
        ValueError: If there is a file and it is no video, or one of another length than the recording.
    """
    if recording.size is not None or not recording.has_video:
        return recording.size
    video = recording.video()
    if isinstance(video, bytes) or not video.exists():
        return None
    import av

    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise ValueError(f"{recording.name}: no video stream in it")
            stream = container.streams.video[0]
            frames, size = stream.frames, (stream.width, stream.height)
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{recording.name}: not a decodable video ({error.strerror})") from error
    if frames:  # not every format says it
        require_frames(recording, frames)
    return size


def require_frames(recording: Recording, found: int) -> None:
    """Refuse a video that is shorter or longer than its row says.

    Args:
        recording: What the table says.
        found: Frames in the video.
    Raises:
        ValueError: With both numbers.
    """
    if found < SHORTEST_SHARE * recording.frames:
        raise ValueError(f"{recording.name}: truncated: {found} of {recording.frames} frames could be decoded")
    if found > recording.frames / SHORTEST_SHARE + 2:
        raise ValueError(
            f"{recording.name}: frames: the table says {recording.frames}, the video has {found}; correct the one or the other"
        )


def require_whole(recording: Recording, path: Path) -> None:
    """Refuse a video file that cannot be copied as it is: no video, or cut short. Its packets are counted, not decoded.

    Raises:
        ValueError: With the reason.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{recording.name}: no video stream in it")
            require_frames(recording, sum(1 for packet in container.demux(video=0) if packet.size))
    except FileNotFoundError as error:
        raise ValueError(f"{recording.name}: no such file: {path}") from error
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{recording.name}: not a decodable video ({error.strerror})") from error
