"""The kinds of input: what of a recording a classifier looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from ..networks.build import PICTURE_MODELS
from ..recordings import Recording
from ..windows import Window
from .crops import motion_store, person_store
from .heatmaps import HeatmapStore
from .keypoints import KeypointStore
from .rgb import FrameStore


@runtime_checkable
class ClipInput(Protocol):
    """Cuts windows out of recordings, as tensors that a network of its kind takes."""

    def get(self, recording: Recording) -> Any:
        """Read the recording, or take what was kept of it; ValueError if it cannot be read."""
        ...

    def plain(self, recording: Recording, window: Window) -> Tensor:
        """A window as the network sees it."""
        ...

    def augmented(self, recording: Recording, window: Window, *, rng: np.random.Generator) -> Tensor:
        """A window after standard augmentation."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKind:
    """One kind of input."""

    store: Callable[..., ClipInput]
    """From ``folder`` (of kept files), ``size``, ``frames``, ``window_sec`` and ``room_gb`` (if any) to the input."""
    models: tuple[str, ...]
    """Networks that take it, of ``networks.build.MODELS``."""
    defaults: Mapping[str, Any]
    """Settings of a study with this input that its file does not state."""
    meaning: str
    """What the network sees, for ``--help`` and the report."""


INPUTS: dict[str, InputKind] = {
    "rgb": InputKind(
        store=FrameStore,
        models=PICTURE_MODELS,
        defaults={"model": "x3d_xs", "frames": 8, "size": 160, "steps": 300, "batch": 8, "lr": 2e-3},
        meaning="whole frames, squeezed into a square",
    ),
    "person": InputKind(
        store=person_store,
        models=PICTURE_MODELS,
        defaults={"model": "frame_cnn", "frames": 8, "size": 96, "steps": 300, "batch": 8, "lr": 2e-3},
        meaning="a square around one person, following it",
    ),
    "motion": InputKind(
        store=motion_store,
        models=PICTURE_MODELS,
        defaults={"model": "x3d_xs", "frames": 8, "size": 96, "steps": 300, "batch": 8, "lr": 2e-3},
        meaning="in that square, the difference to the empty room, and optical flow",
    ),
    "keypoints": InputKind(
        store=KeypointStore,
        models=("keypoint_cnn", "st_gcn"),
        defaults={"model": "keypoint_cnn", "frames": 16, "size": 32, "steps": 600, "batch": 64, "lr": 1e-3},
        meaning="2D keypoints of one person, moved and scaled to a common place and size",
    ),
    "heatmaps": InputKind(
        store=HeatmapStore,
        models=("x3d_heatmaps",),
        defaults={"model": "x3d_heatmaps", "frames": 8, "size": 48, "steps": 300, "batch": 16, "lr": 2e-3},
        meaning="those keypoints as spots in a volume, a channel for each",
    ),
}
"""Name to kind. Extending = one class and one entry here."""
