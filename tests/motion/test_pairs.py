"""Laws of the actions of two people."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np
import pytest
import torch

from augment.actions import ACTIONS, FRAME_LABELS, PAIRS
from augment.body.model import joints_of, load_body, pose_body
from augment.body.shapes import sample_betas
from augment.motion.contacts import foot_contacts
from augment.motion.features import mirror_joints
from augment.motion.library.build import build_library, library_keys
from augment.motion.library.falls.simulate import FallRejected
from augment.motion.library.pairs.act import OVERLAP, OVERLAP_SHARE, PAIR_SCRIPTS, make_pair
from augment.motion.library.pairs.words import CAPTIONS
from augment.motion.partners import partner_of, together
from augment.motion.plausibility import foot_skate, overlap
from augment.motion.store import read_store
from augment.types import JOINT, Motion

HAND_IN_HAND = ("hand_over", "shake_hands", "walk_supported", "help_up_from_chair", "help_up_from_floor")
SCRIPTED = tuple(name for name in PAIRS if name != "push")


@lru_cache(maxsize=1)
def body():
    return load_body()


@lru_cache(maxsize=32)
def acted(name: str, seed: int = 1, **fixed) -> tuple[Motion, Motion]:
    rng = np.random.default_rng(seed)
    betas = (sample_betas(body(), rng=rng), sample_betas(body(), rng=rng))
    for _ in range(12):
        try:
            return make_pair(name, rng=rng, body=body(), betas=betas, **fixed)
        except FallRejected:
            continue
    raise AssertionError(f"{name}: no attempt was accepted")


def joints(motion: Motion) -> np.ndarray:
    return np.asarray(joints_of(body(), motion), np.float64)


def touching(motion: Motion) -> slice:
    start, end = motion.provenance["touch_sec"]
    return slice(int(np.ceil(start * motion.fps + 1e-6)), min(int(end * motion.fps), len(motion)))


def between_hands(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance of the two hands that are nearest to each other all the time, (t,)."""
    hands = [JOINT["left_hand"], JOINT["right_hand"]]
    gaps = np.linalg.norm(one[:, hands][:, :, None] - other[:, hands][:, None], axis=-1).reshape(len(one), 4)
    return gaps[:, gaps.max(axis=0).argmin()]


def test_every_action_of_two_people_is_scripted_and_has_words_of_its_own():
    assert set(PAIR_SCRIPTS) == set(PAIRS) == {name.split()[0] for name in CAPTIONS}
    assert all(len(set(sentences)) >= 2 for sentences in CAPTIONS.values())


@pytest.mark.parametrize("name", PAIRS)
def test_both_are_as_long_and_labelled_without_gaps(name):
    one, other = acted(name)
    assert (len(one), one.fps) == (len(other), other.fps)
    assert ACTIONS[name].label in {segment.label for segment in one.segments}
    for motion in (one, other):
        assert motion.action == name
        assert motion.caption == one.caption
        assert {segment.label for segment in motion.segments} <= set(FRAME_LABELS)
        assert motion.segments[0].start_sec == 0.0
        assert motion.segments[-1].end_sec == pytest.approx(motion.seconds)
        for before, after in zip(motion.segments[:-1], motion.segments[1:], strict=True):
            assert before.end_sec == after.start_sec
            assert before.label != after.label
    assert "A person" in one.caption or "Two people" in one.caption
    assert "{" not in one.caption


@pytest.mark.parametrize("name", HAND_IN_HAND)
@pytest.mark.parametrize("seed", [1, 2])
def test_hands_meet_within_5_cm_as_long_as_they_hold(name, seed):
    one, other = acted(name, seed)
    rows = touching(one)
    assert rows.stop - rows.start >= 4
    assert between_hands(joints(one)[rows], joints(other)[rows]).max() <= 0.05


@pytest.mark.parametrize("name", ["catch_faller", "push"])
def test_hands_are_on_the_other_ones_skin(name):
    one, other = acted(name)
    rows = touching(one)
    frame = np.arange(rows.start, rows.stop)[[0]]
    skin = pose_body(body(), one.take(frame))[0][0]
    for hand in ("left_hand", "right_hand"):
        assert np.linalg.norm(skin - joints(other)[frame[0], JOINT[hand]], axis=1).min() <= 0.06


@pytest.mark.parametrize("name", PAIRS)
def test_bodies_are_hardly_ever_in_each_other_or_in_the_floor(name):
    motions = acted(name)
    rows = np.arange(0, len(motions[0]), 2)
    skins = [pose_body(body(), motion.take(rows))[0].astype(np.float64) for motion in motions]
    deep = np.maximum(overlap(*skins, body().faces), overlap(*skins[::-1], body().faces))
    assert (deep > OVERLAP).mean() <= OVERLAP_SHARE + 0.02
    assert min(skin[..., 1].min() for skin in skins) > -0.025


def test_overlap_is_the_depth_of_one_body_in_the_other():
    ball = torch.nn.functional.normalize(torch.randn(1500, 3, generator=torch.Generator().manual_seed(0)), dim=1).numpy() * 0.5
    from scipy.spatial import ConvexHull

    hull = ConvexHull(ball)
    faces = hull.simplices
    outward = np.einsum(
        "fi,fi->f", np.cross(ball[faces[:, 1]] - ball[faces[:, 0]], ball[faces[:, 2]] - ball[faces[:, 0]]), ball[faces[:, 0]]
    )
    faces = np.where(outward[:, None] > 0, faces, faces[:, ::-1])
    apart = np.stack([ball + [x, 0.0, 0.0] for x in (1.2, 0.95, 0.9)])
    np.testing.assert_allclose(overlap(np.stack([ball] * 3), apart, faces), [0.0, 0.05, 0.1], atol=0.012)


@pytest.mark.parametrize("name", SCRIPTED)
def test_feet_that_stand_do_not_skate(name):
    for motion in acted(name):
        points = joints(motion)
        assert foot_skate(points, foot_contacts(points, motion.fps), motion.fps) < 0.09


@pytest.mark.parametrize("name", PAIRS)
def test_to_the_right_is_the_mirror_image_with_the_words_swapped(name):
    left, right = acted(name, 3, side="left"), acted(name, 3, side="right")
    for one, mirrored in zip(left, right, strict=True):
        swapped = mirror_joints(torch.from_numpy(joints(one))).numpy()
        np.testing.assert_allclose(joints(mirrored), swapped, atol=2e-3)
        words = {"left": "right", "right": "left"}
        assert mirrored.caption == " ".join(words.get(word, word) for word in one.caption.replace(".", " .").split()).replace(
            " .", "."
        )


@pytest.mark.parametrize("name", ["hand_over", "push"])
def test_the_same_chance_gives_the_same_motions(name):
    acted.cache_clear()
    first = acted(name, 4)
    acted.cache_clear()
    for a, b in zip(first, acted(name, 4), strict=True):
        np.testing.assert_array_equal(a.body_pose, b.body_pose)
        np.testing.assert_array_equal(a.transl, b.transl)
        assert a.caption == b.caption
        assert a.provenance == b.provenance


def test_hands_meet_between_a_short_and_a_tall_person():
    rng = np.random.default_rng(5)
    shapes = sorted(
        (sample_betas(body(), rng=rng) for _ in range(6)), key=lambda betas: np.ptp(body().rest_vertices(betas)[:, 1])
    )
    for betas in ((shapes[0], shapes[-1]), (shapes[-1], shapes[0])):
        one, other = make_pair("shake_hands", rng=rng, body=body(), betas=betas)
        rows = touching(one)
        assert between_hands(joints(one)[rows], joints(other)[rows]).max() <= 0.05


def test_a_store_keeps_both_and_where_they_are_to_each_other(tmp_path):
    summary = build_library(tmp_path, per_action=1, seed=3, actions=["hand_over"])
    store = read_store(tmp_path)
    assert summary.kept == len(store) == 2
    assert [row["partner"]["number"] for row in store.rows] == [1, 2]
    one, other = together(store[0], store.named(partner_of(store[0])["name"]), body())
    rows = touching(one)
    assert between_hands(joints(one)[rows], joints(other)[rows]).max() <= 0.05
    again = build_library(tmp_path, per_action=1, seed=3, actions=["hand_over"])
    assert (again.added, again.kept) == (0, 2)


def test_what_a_partner_knows_puts_motions_of_their_own_frames_together():
    from dataclasses import replace

    from augment.motion.posture import face_forward

    one, other = acted("shake_hands", 2)
    apart = []
    for motion in (one, other):
        known = {key: value for key, value in partner_of(motion).items() if key != "one_frame"}
        alone = face_forward(motion, np.asarray(body().rest_joints(motion.betas), np.float64))
        apart.append(replace(alone, provenance=motion.provenance | {"partner": known}))
    rows = touching(one)
    before, after = (joints(motion)[rows] for motion in together(*apart, body()))
    assert between_hands(before, after).max() <= 0.055


def test_motions_of_strangers_are_refused():
    with pytest.raises(ValueError, match="has no partner"):
        together(acted("shake_hands", 2)[0], acted("hand_over")[1], body())


def test_numbers_of_people_that_do_not_fit_are_refused_in_one_line():
    assert library_keys(1, people=2) == [f"{name}-0000" for name in PAIRS]
    assert not set(library_keys(1)) & set(library_keys(1, people=2))
    for actions, people, words in (
        (["walk"], 2, "'walk' is done by 1, not by 2"), (["push"], 1, "'push' is done by 2, not by 1"),
        (None, 3, "expected 1 or 2"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words) as error:
            library_keys(1, actions, people)
        assert "\n" not in str(error.value)


def test_a_wrong_name_or_parameter_lists_the_right_ones():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown action of two people 'walk'; expected one of: hand_over"):
        make_pair("walk", rng=rng, body=body())
    with pytest.raises(ValueError, match="unknown parameter 'speed'; expected one of: seconds"):
        make_pair("hand_over", rng=rng, body=body(), speed=1.0)


def test_what_was_drawn_is_in_the_provenance():
    one, _ = acted("walk_supported", 1, hold="waist")
    assert one.provenance["params"]["hold"] == "waist"
    assert asdict(one.segments[0])["label"] in ("standing", "walk")
