"""Plots of the report: the room from above, curves over time, the depth picture; PNG by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ...geometry import depth_to_floor, turn_about_y, unproject
from ...motion.contacts import FOOT_JOINTS
from ...types import Scene
from ..people import Reconstruction, Recovered
from .overlay import STATES, color_of, css
from .summary import label_of, lying_places

_SURFACES = {"bed": "#cfe0f3", "chair": "#f3e3c8"}


def _figure(width: float, height: float) -> Any:
    """A matplotlib figure without global state or display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any, *, dpi: int = 110) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def draw_top_view(reconstruction: Reconstruction) -> bytes:
    """Plan of the room to scale: floor, furniture, camera, people's paths coloured by time, places where somebody lies."""
    scene = reconstruction.scene
    figure = _figure(8.2, 7.2)
    axes = figure.subplots()
    _floor_plan(axes, scene)
    paths = [(index, person) for index, person in enumerate(reconstruction.people) if len(person.frames)]
    seconds = max((person.frames[-1] / person.motion.fps for _, person in paths), default=1.0)
    lines = [_path(axes, index, person, seconds, many=len(paths) > 8) for index, person in paths]
    for index, person in paths:
        for place in lying_places(person):
            where = "floor" if place["on_floor"] else "raised"
            axes.plot(place["x"], place["z"], "X" if place["on_floor"] else "s", ms=11, color=css(color_of(index)), mec="black")
            if len(paths) <= 8:
                axes.annotate(f"lies ({where}) at {place['start_sec']:.1f} s", (place["x"], place["z"]), xytext=(9, 7),
                              textcoords="offset points", fontsize=8, zorder=9)  # fmt: skip
    _mark_camera(axes, scene)
    if lines:
        bar = figure.colorbar(lines[0], ax=axes, shrink=0.6, pad=0.01)
        bar.set_label("seconds into the clip", fontsize=9)
    axes.set_aspect("equal")
    axes.autoscale_view()
    # Seen from above with z up the page, x grows to the left.
    axes.invert_xaxis()
    axes.set_xlabel("x, metres", fontsize=9)
    axes.set_ylabel("z, metres", fontsize=9)
    axes.grid(color="#dde2e8", lw=0.6)
    axes.set_axisbelow(True)
    if 0 < len(paths) <= 8:
        axes.legend(fontsize=8, loc="best", framealpha=0.85)
    return _png(figure)


def corners_seen_from_above(center: Any, size: tuple[float, float], yaw: float) -> np.ndarray:
    """Corners (x, z) of a rectangle seen from above, turned by ``yaw`` about +y."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    return turn_about_y(half, yaw) + np.array([center[0], center[2]])


def _floor_plan(axes: Any, scene: Scene) -> None:
    from matplotlib.patches import Polygon

    floor = axes.add_patch(Polygon(scene.floor, closed=True, fc="#f6f4ef", ec="#6b6b6b", lw=1.6, zorder=0))
    seen = axes.add_artist(Polygon(seen_floor(scene), closed=True, fc="#b04a5a1c", ec="#b04a5a", lw=1.2, ls=":", zorder=0.5))
    seen.set_clip_path(floor)
    axes.update_datalim(np.asarray(scene.floor))
    for obstacle in scene.obstacles:
        corners = corners_seen_from_above(obstacle.center, (float(obstacle.size[0]), float(obstacle.size[2])), obstacle.yaw)
        wall = "wall" in obstacle.name.lower()
        axes.add_patch(Polygon(corners, closed=True, fc="#5a6574" if wall else "#e3e6ea", ec="#8892a0", lw=1, zorder=1))
        axes.update_datalim(corners)
        if not wall:
            axes.text(
                *corners.mean(0), _plain_text(obstacle.name), fontsize=7, color="#5a6574", ha="center", va="center", zorder=3
            )
    for surface in scene.surfaces:
        corners = corners_seen_from_above(surface.center, surface.size, surface.yaw)
        color = _SURFACES.get(surface.kind, "#e8e8e8")
        axes.add_patch(Polygon(corners, closed=True, fc=color, ec="#50719a", lw=1, ls="--", zorder=2))
        axes.annotate(
            f"{surface.kind} {surface.center[1]:.2f} m", corners[np.argmin(corners[:, 1])], fontsize=7, color="#50719a",
            xytext=(0, -9), textcoords="offset points", zorder=3,
        )  # fmt: skip


def _plain_text(text: str) -> str:
    """Text that matplotlib does not parse as mathematics."""
    return text.replace("$", r"\$")


def _path(axes: Any, index: int, person: Recovered, seconds: float, *, many: bool) -> Any:
    """A pelvis' path on the floor, coloured by time; where it is not trusted, thin and grey."""
    from matplotlib.collections import LineCollection

    x, z = np.asarray(person.joints)[:, 0, 0], np.asarray(person.joints)[:, 0, 2]
    steps = np.stack([np.column_stack([x, z])[:-1], np.column_stack([x, z])[1:]], axis=1)
    trusted = person.trusted[1:]
    time = person.frames[1:] / person.motion.fps
    axes.add_collection(LineCollection(list(steps[~trusted]), colors="#a0a0a0", lw=0.9, zorder=5))
    line = LineCollection(list(steps[trusted]), cmap="viridis", lw=1.4 if many else 2.6, zorder=6, alpha=0.8 if many else 1)
    line.set_array(time[trusted])
    line.set_clim(0, seconds)
    axes.add_collection(line)
    axes.update_datalim(np.column_stack([x, z]))
    color = css(color_of(index))
    label = f"{label_of(person)}, clip {person.video + 1}: start"
    axes.plot(x[0], z[0], "o", ms=4 if many else 8, color=color, mec="white", zorder=7, label=_plain_text(label))
    axes.plot(x[-1], z[-1], ">", ms=4 if many else 7, color=color, mec="white", zorder=7)
    return line


def _mark_camera(axes: Any, scene: Scene) -> None:
    """The camera's place, heading and height."""
    eye, heading = scene.camera.T_world_camera[:3, 3], scene.camera.T_world_camera[[0, 2], 2]
    forward = 0.55 * heading / max(float(np.linalg.norm(heading)), 1e-9)
    axes.annotate(
        "", (eye[0] + forward[0], eye[2] + forward[1]), (eye[0], eye[2]), zorder=8,
        arrowprops={"arrowstyle": "-|>", "color": "#b04a5a", "lw": 2},
    )  # fmt: skip
    axes.plot(eye[0], eye[2], "o", ms=9, color="#b04a5a", mec="black", zorder=8)
    axes.annotate(
        f"camera, {eye[1]:.2f} m up", (eye[0], eye[2]), xytext=(0, -16), textcoords="offset points", fontsize=8, ha="center",
        zorder=9,
    )  # fmt: skip
    axes.update_datalim([[eye[0], eye[2]]])


def seen_floor(scene: Scene) -> Float[np.ndarray, "n 2"]:
    """Outline (x, z) of the floor in the picture, metres, cut off at one and a half times the floor's extent."""
    camera, T = scene.camera, scene.camera.T_world_camera
    along = np.linspace(0, 1, 24, endpoint=False)[:, None]
    corners = np.array([[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]], float)
    border = np.concatenate([a + along * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    rays = unproject(border, np.ones(len(border)), camera.K) @ T[:3, :3].T
    flat = np.maximum(np.linalg.norm(rays[:, [0, 2]], axis=1), 1e-9)
    reach = 1.5 * max(float(np.ptp(scene.floor, axis=0).max()), 2.0) / flat
    depth = np.minimum(depth_to_floor(rays, T[1, 3]), reach)
    return T[[0, 2], 3] + rays[:, [0, 2]] * depth[:, None]


def draw_curves(people: Sequence[tuple[int, Recovered]]) -> bytes:
    """Reprojection error, height of the pelvis and of the feet over time, for the people of one clip."""
    figure = _figure(10, 5.6)
    error, pelvis, feet = figure.subplots(3, 1, sharex=True)
    for index, person in people:
        color, time = css(color_of(index)), person.frames / person.motion.fps
        joints = np.asarray(person.joints)
        error.plot(time, person.reprojection_px, color=color, lw=1.3, label=_plain_text(label_of(person)))
        pelvis.plot(time, joints[:, 0, 1], color=color, lw=1.5)
        for column, joint in enumerate(FOOT_JOINTS):
            if column % 2 == 0:  # ankles follow the feet: two lines a person are enough
                continue
            feet.plot(time, joints[:, joint, 1], color=color, lw=1, ls="-" if column == 1 else "--")
            stands = np.asarray(person.contact)[:, column] > 0.5
            feet.plot(time[stands], joints[stands, joint, 1], ".", color=color, ms=4)
        for axes in (error, pelvis, feet):
            _shade(axes, person)
    error.set_ylabel("reprojection, px", fontsize=8)
    pelvis.set_ylabel("pelvis, m", fontsize=8)
    feet.set_ylabel("feet, m", fontsize=8)
    feet.set_xlabel(
        "seconds (feet: left full, right dashed, dots where they stand; yellow: bridged, red: not trusted)", fontsize=8
    )
    for axes in (pelvis, feet):
        axes.axhline(0, color="#8892a0", lw=0.8)
    for axes in (error, pelvis, feet):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    if not any(np.isfinite(person.reprojection_px).any() for _, person in people):
        error.text(
            0.5, 0.5, "no keypoints to compare with", transform=error.transAxes, ha="center", color="#5a6574", fontsize=9
        )
        error.set_yticks([])
    else:
        error.set_ylim(0, 1.3 * max(float(np.nanmax(person.reprojection_px, initial=0.1)) for _, person in people))
    if len(people) > 1:
        error.legend(fontsize=7, frameon=False, ncols=4, loc="upper right")
    return _png(figure, dpi=95)


def _shade(axes: Any, person: Recovered) -> None:
    """Colour the stretches that were bridged or are not trusted."""
    for state, rows in ((1, ~np.asarray(person.observed)), (2, ~person.accepted)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], rows.astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            left, right = person.frames[start] / person.motion.fps, (person.frames[end - 1] + 1) / person.motion.fps
            axes.axvspan(left, right, color=css(STATES[state][1]), alpha=0.18, lw=0)


def draw_depth(scene: Scene) -> bytes | None:
    """z-depth of the empty room, metres; None if no pixel's depth is known."""
    step = max(1, scene.depth.shape[0] // 400)
    depth = np.where(scene.depth > 0, scene.depth, np.nan)[::step, ::step]
    if not np.isfinite(depth).any():
        return None
    figure = _figure(6.4, 6.4 * depth.shape[0] / depth.shape[1] * 0.86)
    axes = figure.subplots()
    low, high = np.nanpercentile(depth, [1, 99])
    image = axes.imshow(depth, cmap="turbo_r", vmin=low, vmax=max(high, low + 0.1), interpolation="nearest")
    axes.set_facecolor("white")
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, shrink=0.9, pad=0.01).set_label("metres from the camera", fontsize=9)
    return _png(figure, dpi=90)
