"""Frames to mp4 bytes and back, through PyAV: single-threaded, so the same frames always give the same bytes."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import UInt8

from ..compiled import compiled

DEFAULT_CRF = 20
"""x264's constant rate factor; 20 is visually lossless to most people."""
QUICK = {"preset": "ultrafast", "x264-params": "no-deblock=0:partitions=i4x4:mbtree=0:rc-lookahead=0"}
"""How videos are encoded. Without adaptive quantization, which spends bits on the noise of still walls, a clip is as small as
with ``veryfast`` and nearer to what was filmed, above all where it moves, in a third of the time: see benchmarks/README.md."""
LOSSLESS = {"preset": "veryfast", "qp": "0", "profile": "high444", "x264-params": "mbtree=0:rc-lookahead=0"}
"""How masks are encoded."""
Int = np.int32
"""Numba adds and multiplies in 64 bits unless each result is told to be this."""


def encode_video(frames: UInt8[np.ndarray, "t h w 3"], *, fps: float, crf: int = DEFAULT_CRF) -> bytes:
    """Encode RGB frames as H.264 in mp4 (yuv420p).

    Args:
        frames: RGB, at least one frame; height and width must be even (yuv420p halves them). Shape (t, h, w, 3).
        fps: Frames a second; kept exactly for rates with a denominator of at most 1001.
        crf: Quality, 0 (best) .. 51.
    Returns:
        The mp4 file's bytes.
    Raises:
        ValueError: If the frames are not (t, h, w, 3) uint8, there are none, or a side is odd.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(f"encode_video: expected frames (t>0, h, w, 3) uint8, found {frames.shape} {frames.dtype}")
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise ValueError(f"encode_video: height and width must be even, found {frames.shape[1]}x{frames.shape[2]}; crop")
    return _encode(rgb_to_planes(frames), frames.shape[1], fps, {"crf": str(crf), **QUICK})


def encode_mask(mask: UInt8[np.ndarray, "t h w"], *, fps: float) -> bytes:
    """Encode a mask losslessly (H.264 qp 0); its values are the luma plane itself, so ``decode_mask`` gives them back exactly.

    Raises:
        ValueError: If a side is odd.
    """
    if mask.dtype != np.uint8 or mask.ndim != 3 or mask.shape[1] % 2 or mask.shape[2] % 2 or not len(mask):
        raise ValueError(f"encode_mask: expected (t>0, even h, even w) uint8, found {mask.shape} {mask.dtype}")
    grey = np.full((len(mask), mask.shape[1] // 2, mask.shape[2]), 128, np.uint8)
    # A yuv420p array holds luma above both chroma planes: handing it over as such avoids any range conversion.
    planes = np.concatenate([mask, grey], axis=1)
    return _encode(planes, mask.shape[1], fps, LOSSLESS)


def rgb_to_planes(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t hh w"]:
    """RGB to BT.601 studio-range YCbCr 4:2:0, laid out as yuv420p: (t, h * 3 / 2, w), luma above both chroma planes.

    Computed here in integers, so that a clip's bytes do not depend on how FFmpeg's scaler was built.
    """
    count, height, width = frames.shape[:3]
    planes = np.empty((count, height * 3 // 2, width), np.uint8)
    _fill_planes(np.ascontiguousarray(frames), planes.reshape(count, -1), height, width)
    return planes


@compiled
def _fill_planes(frames, planes, height, width):
    # One step a loop, all in 32 bits, so that each becomes vector instructions.
    size, half = height * width, width // 2
    r, g, b = np.empty((3, 2, width), np.int32)
    for number in range(frames.shape[0]):
        frame, plane = frames[number], planes[number]
        for row in range(height):
            line, k = frame[row], row % 2
            for x in range(width):
                r[k, x] = line[x, 0]
                g[k, x] = line[x, 1]
                b[k, x] = line[x, 2]
            luma, red, green, blue = plane[row * width : (row + 1) * width], r[k], g[k], b[k]
            for x in range(width):
                warm = Int(Int(red[x] * Int(16829)) + Int(green[x] * Int(33039)))
                luma[x] = np.uint8(Int(warm + Int(Int(blue[x] * Int(6416)) + Int((16 << 16) + 32768))) >> Int(16))
            if k == 0:
                continue
            at, middle = size + row // 2 * half, Int((128 << 18) + 131072)
            cb, cr = plane[at : at + half], plane[at + size // 4 : at + size // 4 + half]
            for x in range(half):
                rr = Int(Int(r[0, 2 * x] + r[0, 2 * x + 1]) + Int(r[1, 2 * x] + r[1, 2 * x + 1]))
                gg = Int(Int(g[0, 2 * x] + g[0, 2 * x + 1]) + Int(g[1, 2 * x] + g[1, 2 * x + 1]))
                bb = Int(Int(b[0, 2 * x] + b[0, 2 * x + 1]) + Int(b[1, 2 * x] + b[1, 2 * x + 1]))
                cb[x] = np.uint8(Int(Int(bb * Int(28784)) - Int(rr * Int(9714)) - Int(gg * Int(19071)) + middle) >> Int(18))
                cr[x] = np.uint8(Int(Int(rr * Int(28784)) - Int(gg * Int(24103)) - Int(bb * Int(4681)) + middle) >> Int(18))


def _encode(planes: UInt8[np.ndarray, "t hh w"], height: int, fps: float, options: dict[str, str]) -> bytes:
    """H.264 in mp4 from yuv420p planes, which are stored as they are."""
    import av
    from av.video.stream import VideoStream

    buffer = io.BytesIO()
    # An in-memory file cannot be re-read for faststart. bitexact keeps the muxer's version and any date out of the file.
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = cast(VideoStream, container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001)))
        stream.height, stream.width = height, int(planes.shape[2])
        stream.pix_fmt = "yuv420p"
        # No B-frames: the first timestamp is 0 and every reader counts the same frames.
        # No macroblock tree: on small pictures x264's reads uninitialised memory, and 3 in 100 clips came out different.
        assert "mbtree=0" in options["x264-params"]
        stream.options = {**options, "bf": "0", "threads": "1"}
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = 24
        # PyAV refers to arrays of such heights without copying; others it would cut.
        to_frame = av.VideoFrame.from_numpy_buffer if height % 4 == 0 else av.VideoFrame.from_ndarray
        for picture in np.ascontiguousarray(planes):
            container.mux(stream.encode(to_frame(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_mask(source: bytes | Path) -> UInt8[np.ndarray, "t h w"]:
    """The mask that ``encode_mask`` encoded."""
    planes, _ = decode_video(source, pixel_format="yuv420p")
    return planes[:, : planes.shape[1] * 2 // 3]


def decode_video(source: bytes | Path, *, pixel_format: str = "rgb24") -> tuple[np.ndarray, float]:
    """Decode all frames of a video.

    Args:
        source: The file's bytes, or its path.
        pixel_format: ``rgb24`` gives (t, h, w, 3); any other format PyAV can turn into an array.
    Returns:
        Frames, uint8; and frames a second.
    Raises:
        ValueError: If it is not a decodable video or has no frame.
    """
    import av

    name = str(source) if isinstance(source, Path) else f"video of {len(source)} bytes"
    try:
        with av.open(str(source) if isinstance(source, Path) else io.BytesIO(source), mode="r") as container:
            if not container.streams.video:
                raise ValueError(f"{name}: no video stream in it")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            frames = [frame.to_ndarray(format=pixel_format) for frame in container.decode(stream)]
    except av.FFmpegError as error:
        raise ValueError(f"{name}: not a decodable video ({error.strerror})") from error
    if not frames or rate is None:
        raise ValueError(f"{name}: no frame could be decoded")
    return np.stack(frames), float(rate)
