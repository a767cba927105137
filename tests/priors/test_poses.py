"""Laws of the poses that priors learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment.body.model import joints_of
from augment.motion.features import mirror_joints
from augment.motion.resample import resample
from augment.motion.store import StoreWriter
from augment.priors.poses import (
    dataset_of,
    frames_of,
    group_of,
    mirror_rotations,
    mirror_sequence,
    pose_dataset,
    sequence_at,
    sequences,
    windows_of,
)
from tests.make.priors import few_motions, few_poses


def test_a_recording_is_held_out_whole_or_not_at_all() -> None:
    data = few_poses()
    for group in set(data.groups):
        held = {bool(data.held_out[i]) for i in range(len(data)) if data.groups[i] == group}
        assert len(held) == 1
    assert 0 < int(data.held_out.sum()) < len(data)


def test_no_frame_is_both_trained_on_and_held_out() -> None:
    data = few_poses()
    train, held = frames_of(data, held_out=False), frames_of(data, held_out=True)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(len(data.rotations)))


def test_a_person_is_one_group_across_recordings() -> None:
    motions = [replace(each, subject=f"person {i % 2}") for i, each in enumerate(few_motions())]
    data = dataset_of(motions, held_out=0.5)
    assert set(data.groups) == {"person 0", "person 1"}
    assert group_of("dataset-1_walk_old_012") == "dataset-1_walk_old"
    assert group_of("walk-0003") == "walk-0003"


def test_adding_motions_keeps_the_others_where_they_were() -> None:
    """The split goes by digests of names: at the same number of groups held out, only newcomers can push one back."""
    motions = few_motions()
    one, two = dataset_of(motions, held_out=0.25), dataset_of(motions[::-1], held_out=0.25)
    held = {name for name, out in zip(one.names, one.held_out, strict=True) if out}
    assert held == {name for name, out in zip(two.names, two.held_out, strict=True) if out}


def test_joints_are_the_bodys_forward_kinematics(body) -> None:
    motions = few_motions()
    data = dataset_of(motions)
    motion = resample(motions[3], 30.0)
    part = slice(int(data.starts[3]), int(data.starts[4]))
    assert torch.allclose(data.joints[part], torch.as_tensor(joints_of(body, motion), dtype=torch.float32), atol=1e-5)


def test_windows_lie_within_one_motion() -> None:
    data = few_poses()
    first = windows_of(data, 20, stride=7, held_out=False)
    motion = torch.searchsorted(data.starts, first, right=True) - 1
    assert bool((first + 20 <= data.starts[motion + 1]).all())
    assert not bool(data.held_out[motion].any())
    window = sequence_at(data, first[:2], 20)
    assert torch.equal(window.rotations[1, 4], data.rotations[first[1] + 4])
    assert len(windows_of(data, 10_000, held_out=False)) == 0


def test_a_mirrored_mirror_image_is_the_original() -> None:
    data = few_poses()
    assert torch.equal(mirror_rotations(mirror_rotations(data.rotations)), data.rotations)
    assert torch.equal(mirror_joints(mirror_joints(data.joints)), data.joints)


def test_mirrored_rotations_turn_mirrored_bones() -> None:
    """Forward kinematics of a mirrored pose on a mirrored body gives mirrored joints."""
    from augment.geometry import forward_kinematics

    data = few_poses()
    sequence = sequences(data, held_out=False)[0]
    rest = data.rest_joints[0]
    joints, _ = forward_kinematics(sequence.rotations, rest)
    mirrored, _ = forward_kinematics(mirror_sequence(sequence).rotations, mirror_joints(rest))
    assert torch.allclose(mirrored, mirror_joints(joints), atol=1e-5)


def test_origins_carry_licences_and_counts(tmp_path) -> None:
    motions = [
        replace(each, source=f"set {'a' if i < 2 else 'b'}/{i}", licence="MIT" if i < 2 else "CC0-1.0")
        for i, each in enumerate(few_motions())
    ]
    with StoreWriter(tmp_path) as store:
        for motion in motions:
            store.add(motion)
    data = pose_dataset(tmp_path)
    assert [(row["source"], row["licence"], row["motions"]) for row in data.origins] == [
        ("set a", "MIT", 2),
        ("set b", "CC0-1.0", 6),
    ]
    assert sum(int(str(row["frames"])) for row in data.origins) == len(data.rotations)
    few = pose_dataset(tmp_path, max_frames=300)
    assert 0 < len(few) < len(data)
    assert len(few.rotations) <= 300
    assert set(few.names) < set(data.names)


def test_what_cannot_be_split_or_read_is_refused(tmp_path) -> None:
    alone = [replace(each, subject="one") for each in few_motions()]
    with pytest.raises(ValueError, match="field subject"):
        dataset_of(alone)
    assert not bool(dataset_of(alone, held_out=0.0).held_out.any())
    with pytest.raises(ValueError, match="held_out"):
        dataset_of(few_motions(), held_out=1.0)
    with pytest.raises(ValueError, match="fps"):
        dataset_of(few_motions(), fps=0.0)
    with pytest.raises(ValueError, match="no motions"):
        dataset_of([])
    with StoreWriter(tmp_path):
        pass
    with pytest.raises(ValueError, match="empty"):
        pose_dataset(tmp_path)


def test_the_digest_tells_data_apart() -> None:
    motions = few_motions()
    changed = [*motions[:-1], replace(motions[-1], body_pose=motions[-1].body_pose + np.float32(1e-3))]
    assert dataset_of(motions).digest == dataset_of(motions).digest
    assert dataset_of(motions).digest != dataset_of(changed).digest
    assert dataset_of(motions).digest != dataset_of(motions, held_out=0.5).digest
