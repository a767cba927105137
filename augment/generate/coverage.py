"""What a run's clips cover: rooms from above with cameras and people's paths, and how cameras see people. No video is read."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ..body.kinematics import rotation_matrices
from ..files import write_atomic
from ..geometry import heading_of, turn_about_y
from ..lens import undistort
from ..shards.sample import Sample
from ..shards.tar import read_shard
from ..types import Lens, Scene

COVERAGE = "coverage.png"
ROOMS = 12
"""Rooms drawn, those with the most clips; the histograms count all."""
PATHS = 40
"""People's paths drawn in a room."""
FAN = 1.3
"""Length of a camera's fan, metres."""
CLIPS = 4096
"""Clips that figures and picture are made of, at most about so many: of a larger run every n-th shard is taken."""
_COLORS = ("#3d6fb4", "#d1762b", "#5a9367", "#8a6bb1", "#b04a5a", "#e3b23c", "#7fa7d9", "#6b6b6b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """How one clip's camera sees its first person."""

    scene: str
    """Digest of its scene."""
    label: str
    camera: Float[np.ndarray, "3"]
    """Where the camera is (its first frame), world, metres."""
    yaw: float
    """Heading of its axis, degrees about +y from +z."""
    pitch: float
    """Its axis, degrees downwards."""
    fov: float
    """Horizontal field of view, degrees."""
    pelvis: Float[np.ndarray, "t 2"]
    """World (x, z), metres."""
    distance: Float[np.ndarray, "t"]
    """Camera to pelvis, metres."""
    height: Float[np.ndarray, "t"]
    """Vertical extent of the joints inside the picture, pixels."""
    heading: Float[np.ndarray, "t"]
    """Degrees that the person is turned away from facing the camera, -180..180."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOutline:
    """A room from above, in (x, z), world, metres."""

    name: str
    floor: Float[np.ndarray, "n 2"]
    furniture: list[Float[np.ndarray, "4 2"]]
    """Obstacles."""
    surfaces: list[Float[np.ndarray, "4 2"]]
    """What people sit and lie on."""


def outline_of(name: str, scene: Scene) -> RoomOutline:
    """A room from above, called ``name``."""
    return RoomOutline(
        name=name,
        floor=np.asarray(scene.floor, float),
        furniture=[_rectangle(box.center, (float(box.size[0]), float(box.size[2])), box.yaw) for box in scene.obstacles],
        surfaces=[_rectangle(surface.center, surface.size, surface.yaw) for surface in scene.surfaces],
    )


def outline_from_json(fields: dict[str, Any]) -> RoomOutline:
    """A room's outline from its fields as JSON holds them."""
    corners = {name: [np.array(shape, float) for shape in fields[name]] for name in ("furniture", "surfaces")}
    return RoomOutline(name=fields["name"], floor=np.array(fields["floor"], float), **corners)


def take_of(sample: Sample) -> Take:
    """Read a decoded sample's ``json`` and ``npz``."""
    meta, arrays = sample["json"], sample["npz"]
    T = np.asarray(arrays["T_world_camera"], float)
    eyes, first = T[..., :3, 3], T.reshape(-1, 4, 4)[0]
    forward = first[:3, 2]
    pelvis = np.asarray(arrays["joints"], float)[:, 0]
    away = eyes - pelvis
    turns = heading_of(torch.from_numpy(rotation_matrices(arrays["global_orient"]))).numpy()
    to_camera = np.arctan2(away[:, 0], away[:, 2])
    v = np.clip(np.asarray(arrays["joints2d"], float)[..., 1], 0, meta["height"])
    return Take(
        scene=str(meta["provenance"].get("scene", {}).get("sha256", "")), label=meta["label"], camera=first[:3, 3],
        yaw=float(np.degrees(np.arctan2(forward[0], forward[2]))),
        pitch=float(np.degrees(np.arcsin(np.clip(-forward[1], -1, 1)))),
        fov=_fov(arrays, meta["width"]), pelvis=pelvis[:, [0, 2]],
        distance=np.linalg.norm(away, axis=1), height=v.max(axis=1) - v.min(axis=1),
        heading=(np.degrees(turns - to_camera) + 180) % 360 - 180,
    )  # fmt: skip


def _fov(arrays: dict[str, np.ndarray], width: int) -> float:
    """Angle between the left and right ends of the picture's middle row, degrees."""
    K = np.asarray(arrays["K"], float)
    ends = np.array([[(u - K[0, 2]) / K[0, 0], 0.0] for u in (0, width)])
    if "distortion" in arrays:
        numbers = tuple(float(number) for number in arrays["distortion"])
        ends = undistort(ends, Lens(kind="fisheye" if len(numbers) == 4 else "brown", coefficients=numbers))
    return float(np.degrees(np.ptp(np.arctan(ends[:, 0]))))


def read_takes(shards: Iterable[Path]) -> Iterator[Take]:
    """Every clip of some shards; video is skipped."""
    for path in shards:
        for sample in read_shard(path, members=("json", "npz")):
            yield take_of(sample)


def covered(shards: Sequence[str], planned: int) -> list[str]:
    """The shards that figures and picture are made of: all, or every n-th.

    Args:
        shards: All shards of the run by name, in order.
        planned: Clips of the run.
    """
    return list(shards[:: -(-planned // CLIPS) or 1])


def figures(takes: Sequence[Take]) -> dict[str, Any]:
    """Numbers for the manifest: cameras, and 5, 50 and 95 % of what the histograms show."""
    values = {
        "camera_pitch_deg": np.array([take.pitch for take in takes]),
        "distance_m": np.concatenate([take.distance for take in takes]),
        "person_height_px": np.concatenate([take.height for take in takes]),
        "heading_to_camera_deg": np.concatenate([take.heading for take in takes]),
    }
    spread = {name: [round(float(q), 2) for q in np.quantile(numbers, [0.05, 0.5, 0.95])] for name, numbers in values.items()}
    return {"cameras": len({_seat(take) for take in takes}), **spread}


def draw_coverage(takes: Sequence[Take], rooms: dict[str, RoomOutline], path: Path) -> None:
    """Draw rooms and histograms as a PNG.

    Args:
        takes: At least one.
        rooms: The run's rooms by digest.
        path: The same takes give the same bytes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = Counter(take.scene for take in takes)
    drawn = [digest for digest, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:ROOMS]]
    labels = sorted(Counter(take.label for take in takes).items(), key=lambda item: (-item[1], item[0]))
    colors = {label: _COLORS[min(rank, len(_COLORS) - 1)] for rank, (label, _) in enumerate(labels)}
    rows = -(-len(drawn) // 4)
    figure = Figure(figsize=(15, 3.9 * rows + 3.2), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    upper, lower = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=[3.9 * rows, 3.2])))
    plans = np.atleast_1d(upper.subplots(rows, 4)).ravel()
    for axes in plans[len(drawn) :]:
        axes.set_axis_off()
    for axes, digest in zip(plans, drawn, strict=False):
        _draw_room(axes, [take for take in takes if take.scene == digest], rooms[digest], colors)
        axes.set_title(f"{rooms[digest].name}: {counts[digest]} clips", fontsize=9)
    _legend(upper, colors, len(counts) - len(drawn))
    _histograms(lower.subplots(1, 4), takes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    write_atomic(path, buffer.getvalue())


def _draw_room(axes: Any, takes: Sequence[Take], room: RoomOutline, colors: dict[str, str]) -> None:
    """Floor and furniture seen from above, cameras with their fans, and where the people went."""
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon(room.floor, closed=True, fc="#f6f4ef", ec="#6b6b6b", lw=1.4, zorder=0))
    axes.update_datalim(room.floor)
    for corners in room.furniture:
        axes.add_patch(Polygon(corners, closed=True, fc="#e3e6ea", ec="#8892a0", lw=0.8, zorder=1))
    for corners in room.surfaces:
        axes.add_patch(Polygon(corners, closed=True, fc="#cfe0f3", ec="#50719a", lw=0.8, ls="--", zorder=2))
    # Spread over the run, not its first clips.
    for index in np.unique(np.linspace(0, len(takes) - 1, PATHS).astype(int)):
        take = takes[index]
        axes.plot(*take.pelvis.T, color=colors[take.label], lw=0.9, alpha=0.7, zorder=3)
        axes.plot(*take.pelvis[-1], ".", color=colors[take.label], ms=4, zorder=4)
    for take in {_seat(take): take for take in takes}.values():
        eye = take.camera[[0, 2]]
        sides = np.radians(take.yaw + np.linspace(-0.5, 0.5, 9) * take.fov)
        fan = np.concatenate([[eye], eye + FAN * np.stack([np.sin(sides), np.cos(sides)], axis=-1)])
        axes.add_patch(Polygon(fan, closed=True, fc="#b04a5a22", ec="#b04a5a", lw=0.8, zorder=5))
        axes.plot(*eye, "s", color="#b04a5a", ms=4, zorder=6)
        axes.annotate(
            f"{take.camera[1]:.1f} m", eye, xytext=(3, 3), textcoords="offset points", fontsize=6.5, color="#802d3b", zorder=7
        )
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.invert_xaxis()  # from above with z up the page, x grows to the left
    axes.tick_params(labelsize=7)


def _rectangle(center: np.ndarray, size: tuple[float, float], yaw: float) -> np.ndarray:
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    return turn_about_y(half, yaw) + np.asarray(center)[[0, 2]]


def _seat(take: Take) -> tuple[Any, ...]:
    """What tells cameras apart."""
    numbers = (*take.camera, take.yaw, take.pitch, take.fov)
    return (take.scene, *(round(float(number), 3) for number in numbers))


def _legend(figure: Any, colors: dict[str, str], left_out: int) -> None:
    from matplotlib.lines import Line2D

    shown = list(colors.items())[: len(_COLORS)]
    lines = [Line2D([], [], color=color, lw=2, label=label.replace("_", " ")) for label, color in shown]
    if len(colors) > len(shown):
        lines[-1].set_label("others")
    more = f"; {left_out} more rooms are not drawn" if left_out else ""
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), fontsize=8, frameon=False)
    title = f"rooms from above, metres: people's paths by action (dot: the end), cameras with their height{more}"
    figure.suptitle(title, fontsize=10)


def _histograms(row: Any, takes: Sequence[Take]) -> None:
    frames = {
        "camera to person, metres": (np.concatenate([take.distance for take in takes]), None),
        "person's height, pixels": (np.concatenate([take.height for take in takes]), None),
        "person turned from facing the camera, degrees": (np.concatenate([take.heading for take in takes]), (-180, 180)),
    }
    data = {"camera looks down, degrees": (np.array([take.pitch for take in takes]), None), **frames}
    for number, (axes, (title, (values, limits))) in enumerate(zip(row, data.items(), strict=True)):
        axes.hist(values, bins=24, range=limits, color="#3d6fb4", weights=np.full(len(values), 100 / len(values)))
        axes.set_title(title, fontsize=9)
        axes.set_ylabel("% of clips" if number == 0 else "% of frames", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if limits is not None:
            axes.set_xticks([-180, -90, 0, 90, 180])
