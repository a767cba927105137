"""Keypoint detectors: torchvision's keypointrcnn and MediaPipe's legacy ``solutions``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...progress import track
from ..device import pick_device
from ..video import VideoInfo, probe, read_frames
from .people import People, check_people


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectOptions:
    """How people are detected in a video."""

    every: int = 1
    """Detect in each n-th frame; frame numbers remain the video's."""
    min_score: float = 0.5
    """Least confidence of a detection, 0..1 (keypointrcnn)."""
    max_people: int = 10
    """At most this many people a frame, the most confident first (keypointrcnn; MediaPipe finds one)."""
    short_side: int = 800
    """Shorter side of a frame before the network, pixels (keypointrcnn)."""
    complexity: int = 1
    """Size of MediaPipe's model: 0, 1 or 2."""
    device: str = "auto"
    """``cpu``, ``cuda``, or ``auto``: a GPU where there is one (keypointrcnn)."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.max_people < 1 or self.short_side < 32 or not 0 <= self.min_score <= 1:
            raise ValueError(
                f"every and max_people must be at least 1, short_side at least 32, min_score in 0..1; found {self}"
            )


def _keypointrcnn(video: Path, info: VideoInfo, weights: Path | None, options: DetectOptions) -> People:
    """COCO's 17 points of everybody in the frame; a point's confidence is the logistic of its heat map's peak."""
    import torch

    device = pick_device(options.device)
    model = _load_keypointrcnn(weights, options).to(device).eval()
    rows: dict[str, list] = {"frame": [], "keypoints2d": [], "bbox": [], "confidence": []}
    for number, picture in _sampled(video, info, options):
        with torch.inference_mode():
            found = model([torch.from_numpy(picture).to(device).permute(2, 0, 1) / 255])[0]
        found = {key: value.float().cpu().numpy() for key, value in found.items()}
        for i in np.flatnonzero((found["scores"] >= options.min_score) & (found["labels"] == 1)):
            sure = 1 / (1 + np.exp(-found["keypoints_scores"][i].astype(float)))
            rows["frame"].append(number)
            rows["keypoints2d"].append(np.column_stack([found["keypoints"][i][:, :2], sure]))
            rows["bbox"].append(found["boxes"][i].astype(float))
            rows["confidence"].append(float(found["scores"][i]))
    frame = np.array(rows["frame"], int)
    return People(
        path=video, source="keypointrcnn", frame=frame, track=np.full(len(frame), -1), layout="coco17",
        keypoints2d=np.array(rows["keypoints2d"], float).reshape(-1, 17, 3),
        bbox=np.array(rows["bbox"], float).reshape(-1, 4), confidence=np.array(rows["confidence"], float),
        width=info.width, height=info.height, frames=info.frames, fps=info.fps,
    )  # fmt: skip


def _load_keypointrcnn(weights: Path | None, options: DetectOptions):
    import torch
    from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn

    sizes = {"min_size": options.short_side, "max_size": 2 * options.short_side, "box_detections_per_img": options.max_people}
    if weights is None:
        try:
            return keypointrcnn_resnet50_fpn(weights=KeypointRCNN_ResNet50_FPN_Weights.DEFAULT, **sizes)
        except (OSError, RuntimeError) as error:  # no network, or a download that was cut off
            raise ValueError(
                f"torchvision could not fetch the weights of keypointrcnn ({error}); fetch keypointrcnn_resnet50_fpn's file "
                "elsewhere and name it as the detector's weights, or use detector='mediapipe'"
            ) from error
    path = Path(weights)
    if not path.is_file():
        raise ValueError(f"{path}: no such file of keypointrcnn weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if "roi_heads.keypoint_predictor.kps_score_lowres.weight" not in state:
            raise ValueError(f"it holds {', '.join(sorted(state)[:3])}, ...")
        model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, **sizes)
        model.load_state_dict(state)
    except Exception as error:  # torch raises many types here
        first = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path}: no state dict of torchvision's keypointrcnn_resnet50_fpn with 17 keypoints: {first}"
        ) from error
    return model


def _mediapipe(video: Path, info: VideoInfo, weights: Path | None, options: DetectOptions) -> People:
    """MediaPipe Pose's 33 points of the one person it follows, through the package's legacy ``solutions``."""
    if weights is not None:
        raise ValueError(f"{weights}: detector mediapipe takes no weights: its package carries the model")
    rows: dict[str, list] = {"frame": [], "keypoints2d": [], "keypoints3d": []}
    with _mediapipe_pose()(static_image_mode=False, model_complexity=options.complexity) as pose:
        for number, picture in _sampled(video, info, options):
            found = pose.process(np.ascontiguousarray(picture))
            if found.pose_landmarks is None:
                continue
            points = found.pose_landmarks.landmark
            rows["frame"].append(number)
            rows["keypoints2d"].append([(p.x * info.width, p.y * info.height, p.visibility) for p in points])
            rows["keypoints3d"].append([(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark])
    frame = np.array(rows["frame"], int)
    return People(
        path=video, source="mediapipe", frame=frame, track=np.zeros(len(frame), int), layout="mediapipe33",
        keypoints2d=np.array(rows["keypoints2d"], float).reshape(-1, 33, 3),
        keypoints3d=np.array(rows["keypoints3d"], float).reshape(-1, 33, 3),
        width=info.width, height=info.height, frames=info.frames, fps=info.fps,
        notes=("MediaPipe follows one person at a time; after a gap it may be another one",),
    )  # fmt: skip


def _mediapipe_pose() -> Any:
    advice = "install a version that has it: pip install 'mediapipe==0.10.14' (its wheel carries the pose model)"
    try:
        import mediapipe  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(f"detector mediapipe needs the package mediapipe ({error}); {advice}") from error
    solutions = getattr(mediapipe, "solutions", None)
    if solutions is None:
        found = getattr(mediapipe, "__version__", "of unknown version")
        raise ValueError(f"mediapipe {found} has no legacy 'solutions' any more; {advice}, in an environment of its own")
    return solutions.pose.Pose


DETECTORS: dict[str, Callable[[Path, VideoInfo, Path | None, DetectOptions], People]] = {
    "keypointrcnn": _keypointrcnn, "mediapipe": _mediapipe,
}  # fmt: skip
"""Detectors by name."""


def detect_keypoints(
    video: Path, *, weights: Path | None = None, detector: str = "keypointrcnn", options: DetectOptions | None = None
) -> People:
    """Find people's keypoints in a video.

    Args:
        video: The video.
        weights: ``keypointrcnn``: a state-dict file of torchvision's keypointrcnn_resnet50_fpn; None lets torchvision fetch
            its own. ``mediapipe`` carries its model in the package and takes none.
        detector: A key of ``DETECTORS``.
        options: How people are detected; the defaults where None.
    Raises:
        ValueError: If the detector is unknown, its package or weights are missing or do not fit, the video cannot be read,
            or nobody was found in any frame.
    """
    if detector not in DETECTORS:
        raise ValueError(f"unknown detector {detector!r}; choose one of {', '.join(DETECTORS)}")
    video, options = Path(video), options or DetectOptions()
    return check_people(DETECTORS[detector](video, probe(video), weights, options))


def _sampled(video: Path, info: VideoInfo, options: DetectOptions) -> Iterator[tuple[int, np.ndarray]]:
    """The frames to search, with their numbers; progress is shown."""
    frames = ((number, picture) for number, picture in read_frames(video) if number % options.every == 0)
    return track(frames, f"keypoints of {video.name}", total=-(-info.frames // options.every))
