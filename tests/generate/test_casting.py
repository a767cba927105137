"""Laws of casting: bodies within the recipe's ranges, motions from where they were asked for, bystanders beside the lead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.actions import ACTIONS, DAILY
from augment.body.model import joints_of
from augment.generate.casting import cast, check_sources, draw_betas
from augment.generate.recipe import PeopleOptions, PlannedClip
from augment.motion.carrying import PROPS
from augment.motion.library.build import build_library
from augment.motion.library.scripted.act import make_action
from augment.motion.resample import resample
from augment.motion.reshape import above_floor
from augment.motion.store import StoreWriter
from augment.seeds import clip_rng


def planned(source: str = "library", *, action: str = "walk", path: Path | None = None, others: int = 0) -> PlannedClip:
    return PlannedClip(key="k", number=0, action=action, source=source, path=path, others=others, scene="room-0")


@pytest.fixture(scope="module")
def store(tmp_path_factory, body) -> Path:
    folder = tmp_path_factory.mktemp("store") / "motions"
    with StoreWriter(folder) as writer:
        for seed in range(2):
            motion = make_action("walk", rng=np.random.default_rng(seed), body=body, seconds=3.0)
            writer.add(replace(motion, name=f"walk-{seed}"))
    return folder


def test_bodies_have_the_statures_asked_for(body):
    people = PeopleOptions(height_m=(1.6, 1.62), age=(80.0, 90.0))
    for seed in range(4):
        rest = body.rest_vertices(draw_betas(people, body, rng=np.random.default_rng(seed)))
        assert 1.58 < np.ptp(rest[:, 1]) < 1.64


def test_the_same_chance_gives_the_same_performance(body):
    first, second = (
        cast(planned(action="stand"), PeopleOptions(), body, rng=clip_rng(1, "k", 0), seconds=2.0) for _ in range(2)
    )
    for a, b in zip(first.people, second.people, strict=True):
        np.testing.assert_array_equal(a.transl, b.transl)
        np.testing.assert_array_equal(a.body_pose, b.body_pose)


def test_others_are_as_long_in_the_picture_and_keep_their_distance_at_first(body):
    performance = cast(planned(others=2), PeopleOptions(), body, rng=clip_rng(2, "k", 0), seconds=2.0)
    lead, *others = performance.people
    assert len(others) == 2
    start = joints_of(body, lead)[0, 0]
    for other in others:
        assert len(other) == len(lead)
        assert other.fps == lead.fps
        assert np.linalg.norm((joints_of(body, other)[0, 0] - start)[[0, 2]]) > 0.6
        assert abs(joints_of(body, other)[:, [10, 11], 1].min()) < 0.12


def test_a_store_gives_its_motions_on_the_drawn_body(body, store: Path):
    clip = planned("store", path=store)
    digests = check_sources([clip])
    assert list(digests) == ["store motions"]
    performance = cast(clip, PeopleOptions(height_m=(1.8, 1.8)), body, rng=clip_rng(3, "k", 0), seconds=None)
    assert performance.provenance["motion"]["name"] in ("walk-0", "walk-1")
    rest = body.rest_vertices(performance.people[0].betas)
    assert np.ptp(rest[:, 1]) == pytest.approx(1.8, abs=0.02)
    assert performance.segments[-1].end_sec == pytest.approx(performance.people[0].seconds, abs=0.06)


def test_a_motion_for_another_body_is_thinned_to_the_films_rate_and_moves_as_before(body, store: Path):
    clip = planned("store", path=store)
    whole, thin, slow = (
        cast(clip, PeopleOptions(), body, rng=clip_rng(3, "k", 0), seconds=None, fps=fps).people[0]
        for fps in (None, 10.0, 90.0)
    )
    assert thin.fps == 10.0
    assert slow.fps == whole.fps > 10.0
    np.testing.assert_array_equal(slow.transl, whole.transl)
    np.testing.assert_allclose(joints_of(body, thin), joints_of(body, resample(whole, 10.0)), atol=0.01)


def test_a_store_without_the_action_says_what_it_holds(store: Path):
    with pytest.raises(ValueError, match="no motion of action 'wave'; it holds: walk"):
        check_sources([planned("store", action="wave", path=store)])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs") / "pairs"
    build_library(folder, per_action=2, seed=1, actions=["shake_hands", "stand"])
    return folder


def test_two_people_are_cut_alike_and_both_are_in_the_provenance(body):
    clip = replace(planned(action="help_up_from_chair"), two=True)
    performance = cast(clip, PeopleOptions(), body, rng=clip_rng(1, "k", 0), seconds=4.0)
    one, other = performance.people
    assert len(one) == len(other) == round(4.0 * one.fps)
    hands = [joints_of(body, motion)[:, [22, 23]] for motion in (one, other)]
    gaps = np.linalg.norm(hands[0][:, :, None] - hands[1][:, None], axis=-1)
    assert gaps.min() < 0.05
    partner = performance.provenance["partner"]
    assert partner["label"] == "standing"
    assert partner["segments"][-1]["end_sec"] == pytest.approx(4.0)
    assert partner["licence"] == one.licence
    assert "stand_up" in {segment.label for segment in performance.segments}


def test_a_store_gives_both_of_a_pair_on_their_own_bodies(body, pairs: Path):
    clip = replace(planned("store", action="shake_hands", path=pairs), two=True)
    check_sources([clip])
    one, other = cast(clip, PeopleOptions(), body, rng=clip_rng(2, "k", 0), seconds=None).people
    assert (one.name[:-1], one.name[-1], other.name[-1]) == (other.name[:-1], "1", "2")
    alone = cast(replace(clip, two=False), PeopleOptions(), body, rng=clip_rng(2, "k", 0), seconds=None)
    assert len(alone.people) == 1
    assert alone.people[0].name.endswith("-1")


def test_two_people_of_motions_of_one_are_refused_in_one_line(pairs: Path):
    with pytest.raises(ValueError, match="'stand' are of one person; say people: 1"):
        check_sources([replace(planned("store", action="stand", path=pairs), two=True)])


SCRIPTED = [(prop, action) for prop, kind in PROPS.items() for action in kind.actions if action in DAILY]


@pytest.mark.parametrize(("prop", "action"), SCRIPTED)
def test_a_prop_that_a_recipe_may_ask_for_has_a_place_in_the_librarys_motions(body, prop, action):
    clip = replace(planned(action=action), prop=prop)
    for attempt in range(4):
        performance = cast(clip, PeopleOptions(), body, rng=clip_rng(3, "k", attempt), seconds=8.0)
        (entry,) = performance.provenance["props"]
        assert entry["kind"] == prop
        assert prop in performance.caption
        assert performance.caption.endswith(".")
        assert performance.people[0].action == action


def test_props_are_for_actions_that_exist():
    assert all(action in ACTIONS for kind in PROPS.values() for action in kind.actions)


def test_who_pushes_a_walker_walks_slowly_and_who_carries_nothing_as_before(body):
    speeds = {}
    for prop in ("walker", None):
        clip = replace(planned(), prop=prop)
        found = [cast(clip, PeopleOptions(), body, rng=clip_rng(4, "k", n), seconds=None) for n in range(4)]
        speeds[prop] = [performance.people[0].provenance["params"]["speed"] for performance in found]
        assert all(bool(performance.provenance["props"]) == (prop is not None) for performance in found)
    assert max(speeds["walker"]) <= PROPS["walker"].pace[1]


def test_a_prop_without_a_place_in_a_stored_motion_is_named(body, store: Path):
    clip = replace(planned("store", path=store), prop="wheelchair")
    with pytest.raises(ValueError, match="wheelchair' has no place: nobody sits"):
        cast(clip, PeopleOptions(), body, rng=clip_rng(0, "k", 0), seconds=2.0)


def test_a_generated_motion_is_over_the_floor(body):
    """Law: like the motions of a pool, what the generator makes has no skin under the floor by more than it may sink."""
    for seed in range(2):
        clip = planned("generator", action="fall_from_chair")
        (person,) = cast(clip, PeopleOptions(), body, rng=clip_rng(seed, "k", 0), seconds=None).people
        raised = above_floor(person, body)
        assert np.abs(raised.transl - person.transl).max() < 0.01
