"""Biovision Hierarchy (BVH) files: parse one into arrays, and run its own forward kinematics.

Lengths stay in the file's unit and axes in the file's frame: ``motion.retarget`` normalises both. Angles in the file are
degrees; channels are applied in the order in which each joint lists them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...geometry import axis_rotation
from .skeleton import whole_rate

_AXES = {"X": 0, "Y": 1, "Z": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bvh:
    """A skeleton and its recording, in the file's units and axes."""

    name: str
    """The file's name without its ending."""
    joints: tuple[str, ...]
    """Joint names in file order, parents before children; end sites are left out."""
    parents: tuple[int, ...]
    """Parent of each joint; -1 for the root."""
    offsets: Float[np.ndarray, "j 3"]
    """OFFSET of each joint from its parent, file units."""
    channels: tuple[tuple[str, ...], ...]
    """Channel names of each joint in file order, such as ``Zrotation``."""
    values: Float[np.ndarray, "t c"]
    """One row a frame: file units and degrees."""
    frame_time: float
    """Seconds from one frame to the next."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return whole_rate(self.frame_time)


def parse_bvh(text: str, *, name: str) -> Bvh:
    """Parse the text of a BVH file.

    Args:
        text: The whole file.
        name: Name of the motion; error messages begin with it.
    Raises:
        ValueError: If the hierarchy is broken, or the motion has another number of values than it announces (a file cut
            short), or values that are not finite numbers.
    """
    head, keyword, body = text.partition("MOTION")
    if not keyword:
        raise ValueError(f"{name}: field MOTION: expected it after HIERARCHY, found none; the file is cut short or not BVH")
    joints, parents, offsets, channels = _parse_hierarchy(head, name)
    width = sum(len(each) for each in channels)
    lines = body.lstrip().split("\n", 2)
    n_frames = int(_header_number(lines, 0, "Frames:", name))
    frame_time = _header_number(lines, 1, "Frame Time:", name)
    if n_frames < 1 or not 1e-4 < frame_time < 10:
        raise ValueError(
            f"{name}: field MOTION: expected at least one frame and a frame time in seconds, found {n_frames} frames of "
            f"{frame_time}; repair the header"
        )
    values = _parse_numbers(lines[2] if len(lines) > 2 else "", name)
    if values.size != n_frames * width:
        raise ValueError(
            f"{name}: field MOTION: expected {n_frames} frames x {width} channels = {n_frames * width} values, found "
            f"{values.size}; the file is cut short or its header is wrong, fetch it again"
        )
    values = values.reshape(n_frames, width)
    if not np.isfinite(values).all():
        frame = int(np.argmax(~np.isfinite(values).all(axis=1)))
        raise ValueError(f"{name}: field MOTION: expected finite numbers, found NaN or infinity in frame {frame}")
    return Bvh(
        name=name, joints=joints, parents=parents, offsets=offsets, channels=channels, values=values, frame_time=frame_time
    )


def bvh_forward_kinematics(bvh: Bvh) -> tuple[Float[np.ndarray, "t j 3"], Float[np.ndarray, "t j 3 3"]]:
    """Positions and rotations of all joints in the file's world.

    Position channels stand for the joint's place in its parent's frame and replace OFFSET, as both the one-root files and
    those with six channels on every joint (Bandai-Namco) mean it.

    Returns:
        Positions (t, j, 3), file units; world rotations (t, j, 3, 3).
    """
    n_frames = len(bvh)
    positions = np.empty((n_frames, len(bvh.joints), 3))
    rotations = np.empty((n_frames, len(bvh.joints), 3, 3))
    column = 0
    for joint, (parent, names) in enumerate(zip(bvh.parents, bvh.channels, strict=True)):
        place = np.broadcast_to(bvh.offsets[joint], (n_frames, 3)).copy()
        local = np.broadcast_to(np.eye(3), (n_frames, 3, 3))
        for channel in names:
            axis = _AXES[channel[0]]
            if channel.endswith("position"):
                place[:, axis] = bvh.values[:, column]
            else:
                local = local @ axis_rotation("xyz"[axis], np.radians(bvh.values[:, column]))
            column += 1
        if parent < 0:
            positions[:, joint], rotations[:, joint] = place, local
        else:
            positions[:, joint] = positions[:, parent] + (rotations[:, parent] @ place[..., None])[..., 0]
            rotations[:, joint] = rotations[:, parent] @ local
    return positions, rotations


def _parse_hierarchy(text: str, name: str) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray, tuple[tuple[str, ...], ...]]:
    """Walk the nested braces; -1 on the stack is the world, -2 an end site."""
    joints: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    stack, opening = [-1], -1
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0] == "HIERARCHY":
            continue
        try:
            match words[0].upper():
                case "ROOT" | "JOINT":
                    if words[0].upper() == "ROOT" and joints:
                        raise ValueError("expected one ROOT, found a second; split the file by person")
                    opening = len(joints)
                    joints.append(" ".join(words[1:]))
                    parents.append(stack[-1])
                    offsets.append([0.0, 0.0, 0.0])
                    channels.append(())
                case "END":
                    opening = -2
                case "{":
                    stack.append(opening)
                case "}":
                    stack.pop()
                case "OFFSET":
                    values = [float(word) for word in words[1:]]
                    if len(values) != 3:
                        raise ValueError(f"expected 3 numbers after OFFSET, found {len(values)}")
                    if stack[-1] >= 0:
                        offsets[stack[-1]] = values
                case "CHANNELS":
                    names = tuple(words[2:])
                    if len(names) != int(words[1]) or not all(_is_channel(each) for each in names):
                        raise ValueError(f"expected {words[1]} of Xposition .. Zrotation, found {' '.join(names)!r}")
                    channels[stack[-1]] = tuple(each[0].upper() + each[1:].lower() for each in names)
                case _:
                    raise ValueError(f"unexpected word {words[0]!r}")
        except (ValueError, IndexError) as error:
            raise ValueError(f"{name}: field HIERARCHY, line {number}: {error}") from error
    if stack != [-1] or not joints:
        raise ValueError(
            f"{name}: field HIERARCHY: expected one root with matching braces, found {len(joints)} joints and "
            f"{len(stack) - 1} open braces; the file is cut short"
        )
    if not any(channels):
        raise ValueError(f"{name}: field CHANNELS: expected some, found none; nothing moves in this file")
    return tuple(joints), tuple(parents), np.array(offsets), tuple(channels)


def _is_channel(word: str) -> bool:
    return word[:1].upper() in _AXES and word[1:].lower() in ("position", "rotation")


def _header_number(lines: list[str], index: int, label: str, name: str) -> float:
    line = lines[index] if index < len(lines) else ""
    key, _, value = line.strip().partition(":")
    try:
        if key.strip().lower() != label[:-1].lower():
            raise ValueError
        return float(value)
    except ValueError:
        raise ValueError(f"{name}: field MOTION: expected '{label} <number>', found {line.strip()[:60]!r}") from None


def _parse_numbers(text: str, name: str) -> np.ndarray:
    """All numbers of the text; any other word is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError(f"{name}: field MOTION: expected numbers only, found something else ({error})") from error
