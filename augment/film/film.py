"""Film a performance in a room: the layers of a clip.

One compiled pass a frame: skin the dressed bodies, draw them into a z-buffer, cut away what is behind the room, and compute
light, edges and labels for what is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..body.model import Body
from ..motion.resample import resample
from ..raster.rasterize import Rasterizer
from ..types import Performance
from .actors import carried, person
from .appearance import Look
from .costume import fit_look, pose_joints
from .keypoints import by_layout, keypoints_3d, project_keypoints, visibility
from .props import add_props, moving_props
from .shot import TRACED, Layers, Shot
from .style import Grain, Style, sample_style
from .view import View

LAYERS = ("rgb", "mask", "depth", "parts", "normals", "flow")
"""What can be asked for."""


def film(
    performance: Performance,
    view: View,
    body: Body,
    looks: Sequence[Look],
    *,
    rng: np.random.Generator,
    fps: float,
    layers: Sequence[str] = ("rgb", "mask", "depth"),
    rasterizer: Rasterizer | None = None,
    style: Style | None = None,
) -> dict[str, Any]:
    """Film a performance that has been placed in a room.

    Args:
        performance: Already in the view's scene (``placement.place``); ``provenance["props"]`` lists furniture brought along.
        view: The room as ``prepare_view`` gives it.
        looks: One for each person.
        rng: For the camera's style, the props' colours and the sensor noise.
        fps: Frames a second of the clip.
        layers: Names of ``LAYERS``; what is not asked for is not computed.
        rasterizer: Draws the people's colours and depth instead of the compiled z-buffer, for comparison.
        style: Drawn if None.
    Returns:
        The layers asked for: ``rgb`` as ``frames`` (t, h, w, 3) u8; ``mask`` (t, h, w) u8, 0 = room, n = n-th person; ``depth``
        (t, h, w) f32, metres, 0 = unknown; ``parts`` (t, h, w) u8, 0 = room, 1 + SMPL joint that moves the surface most;
        ``normals`` (t, h, w, 3) f32, unit, camera axes, 0 = unknown; ``flow`` (t, h, w, 2) f32, pixels that a surface moves to
        the right and down until the next frame, 0 in the last. Always ``joints`` (t, 24, 3) f32, world, metres, first person;
        ``joints2d`` (t, 24, 3), ``keypoints_coco`` (t, 17, 3), ``keypoints_mediapipe`` (t, 33, 3) f32 of the first person,
        (u, v, confidence) with the confidence of ``keypoints.visibility``; ``people`` the motions at ``fps``; ``camera`` at
        the clip's size; ``style`` as used.
    Raises:
        ValueError: If looks and people differ in number, a layer is unknown, or the rasterizer cannot give a layer.
    """
    if len(looks) != len(performance.people):
        raise ValueError(f"film: {len(performance.people)} people but {len(looks)} looks; give one look a person")
    _check_layers(layers, rasterizer)
    style = style or sample_style(rng=rng)
    view = add_props(view, performance.provenance.get("props", ()), rng=rng)
    people = tuple(motion if motion.fps == fps else resample(motion, fps) for motion in performance.people)
    count = min(len(motion) for motion in people)
    people = tuple(motion.take(slice(count)) for motion in people)
    grain = Grain(view, style, rng=rng)
    skeletons = [pose_joints(body, motion) for motion in people]
    actors = [
        person(fit_look(look, body, motion.betas), motion, skeleton, number)
        for number, (look, motion, skeleton) in enumerate(zip(looks, people, skeletons, strict=True), start=1)
    ]
    moving = moving_props(replace(performance, people=people), body, rng=rng)
    shot = Shot(view, [*actors, *(carried(mesh) for mesh in moving)], style, rasterizer)
    clip = Layers(layers, count, view)
    points = keypoints_3d(body, people[0].betas, *skeletons[0])
    keypoints = project_keypoints(points, view.camera)
    confidence = np.zeros(keypoints.shape[:2], np.float32)
    for frame in range(count):
        mask, depth = shot.draw(frame, clip, grain)
        visibility(keypoints[frame], mask, depth, 1, confidence[frame])
    keypoints[..., 2] = confidence
    return {
        **clip.asked_for(), **by_layout(keypoints), "joints": skeletons[0][0], "people": people, "camera": view.camera,
        "style": style,
    }  # fmt: skip


def _check_layers(layers: Sequence[str], rasterizer: Rasterizer | None) -> None:
    unknown = [name for name in layers if name not in LAYERS]
    if unknown:
        raise ValueError(f"film: unknown layer {unknown[0]!r}; expected one of: {', '.join(LAYERS)}")
    traced = [name for name in layers if name in TRACED]
    if rasterizer is not None and traced:
        raise ValueError(f"film: layer {traced[0]!r} needs the compiled rasterizer; use rasterizer: compiled, or leave it out")
