"""Laws of placement: people move rigidly together, land on something that carries them, and every refusal has its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.body.model import joints_of, pose_body
from augment.body.points import pose_points
from augment.body.shapes import sample_betas
from augment.geometry import look_at
from augment.motion.carrying import carrier_of, outline_points, prop_track
from augment.motion.holding import take_up
from augment.motion.library.scripted.act import make_action
from augment.placement.gates import REASONS, body_free, body_points, carries, pierces, props_free, seen
from augment.placement.place import PlacementRejected, deciding_skin, move_motion, place, raise_seated
from augment.placement.spots import Spot, at_spot, own_support
from augment.polygon import inside_polygon
from augment.scene.solid import solid_of
from augment.types import JOINT, Surface
from tests.make.rooms import performance, room, standing, the_body
from tests.make.solid_checks import stands_free


def sitting(frames: int = 4, height: float = 0.44):
    """On a seat at the origin, facing +z."""
    motion = standing(the_body(), frames=frames)
    for side in ("left", "right"):
        motion.body_pose[:, JOINT[f"{side}_hip"] - 1, 0] = -1.5
        motion.body_pose[:, JOINT[f"{side}_knee"] - 1, 0] = 1.5
    vertices, joints = pose_body(the_body(), motion)
    under = (the_body().part_of_vertex < 3) & (np.abs(vertices[0, :, 2] - joints[0, 0, 2]) < 0.1)
    seat = vertices[0][under]
    transl = motion.transl + [0.0, height - seat[:, 1].min(), 0.0]
    center = (float(joints[0, 0, 0]), float(joints[0, 0, 2] + 0.05))
    return replace(motion, transl=transl, support="chair", support_height=height, support_center=center, action="sit")


def refused(motion, scene, seed=0, **options) -> PlacementRejected:
    with pytest.raises(PlacementRejected) as caught:
        place(performance(motion), scene, the_body(), rng=np.random.default_rng(seed), **options)
    return caught.value


@settings(max_examples=15, deadline=None)
@given(yaw=st.floats(-3.1, 3.1), x=st.floats(-4, 4), z=st.floats(-4, 4))
def test_moving_a_motion_is_a_rigid_motion_of_its_joints(yaw, x, z):
    motion = standing(the_body(), frames=2, at=(0.3, -0.2), step=0.1)
    moved = joints_of(the_body(), move_motion(motion, yaw, np.array([x, 0.0, z]), the_body()))
    sine, cosine = np.sin(yaw), np.cos(yaw)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    np.testing.assert_allclose(moved, joints_of(the_body(), motion) @ turn.T + [x, 0, z], atol=1e-6)


def test_a_spot_moves_joints_and_what_the_gates_check_alike():
    rng, joints = np.random.default_rng(0), joints_of(the_body(), sitting())
    verdicts = Counter()
    for _ in range(60):
        spot = Spot(yaw=float(rng.uniform(-3, 3)), shift=np.array([rng.uniform(-2, 2), 0.0, rng.uniform(-1.5, 1.5)]))
        moved = at_spot(joints, spot, up=0.1)
        sine, cosine = np.sin(spot.yaw), np.cos(spot.yaw)
        turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        np.testing.assert_allclose(moved, joints @ turn.T + spot.shift + [0, 0.1, 0], atol=1e-12)
        np.testing.assert_allclose(at_spot(body_points(joints), spot, up=0.1), body_points(moved), atol=1e-12)
        verdict = stands_free(moved, solid_of(room()), None)
        assert verdict == body_free(at_spot(body_points(joints), spot, up=0.1), solid_of(room()), None)
        verdicts[verdict] += 1
    assert {None, "off_floor", "in_furniture"} <= set(verdicts)


def test_two_people_keep_their_places_to_each_other():
    a, b = standing(the_body(), at=(-0.3, 0.0), step=0.05), standing(the_body(), at=(0.4, 0.1), step=0.05)
    placed = place(performance(a, b), room(), the_body(), rng=np.random.default_rng(1))
    before, after = ([joints_of(the_body(), m)[:, 0] for m in people] for people in ((a, b), placed.people))
    np.testing.assert_allclose(
        np.linalg.norm(before[0] - before[1], axis=1), np.linalg.norm(after[0] - after[1], axis=1), atol=1e-6
    )


def test_a_placed_person_stands_on_free_floor_in_view():
    for seed in range(5):
        placed = place(performance(standing(the_body())), room(), the_body(), rng=np.random.default_rng(seed))
        joints = joints_of(the_body(), placed.people[0])
        assert stands_free(joints, solid_of(room()), None) is None
        assert inside_polygon(joints[:, 0][:, [0, 2]], room().floor).all()
        assert seen(joints, room().camera, room().depth) is None
        assert placed.provenance["placement"]["support"] == "none"


def test_the_same_seed_gives_the_same_place_and_another_seed_another():
    a, b, c = (
        place(performance(standing(the_body())), room(), the_body(), rng=np.random.default_rng(seed)).people[0].transl
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.05


def test_a_seated_motion_goes_to_the_rooms_own_chair_and_faces_its_way():
    motion = sitting()
    placed = place(performance(motion), _open_room(), the_body(), rng=np.random.default_rng(0)).people[0]
    chair = room().surfaces[1]
    assert placed.support_yaw == pytest.approx(chair.yaw, abs=0.15)
    np.testing.assert_allclose(placed.support_center, chair.center[[0, 2]], atol=0.08)
    assert placed.support_height == pytest.approx(chair.center[1], abs=1e-6)


def _open_room():
    """The room with a camera that has its chair in full view."""
    camera = replace(room().camera, T_world_camera=look_at([0.4, 1.9, 1.7], [-1.8, 0.6, -1.4]))
    return replace(room(), camera=camera, depth=np.zeros_like(room().depth))


def test_a_room_without_a_fitting_seat_gets_one_where_the_motion_sits():
    scene = replace(_open_room(), surfaces=())
    placed = place(performance(sitting()), scene, the_body(), rng=np.random.default_rng(0), tries=300)
    (prop,) = placed.provenance["props"]
    assert placed.provenance["placement"]["support"] == "prop"
    assert prop["kind"] == "chair"
    np.testing.assert_allclose(np.array(prop["center"])[[0, 2]], placed.people[0].support_center, atol=1e-9)
    assert refused(sitting(), scene, props=False).reason == "no_support"


def test_raising_a_seat_lifts_the_pelvis_and_leaves_the_feet():
    motion = sitting()
    before, after = (joints_of(the_body(), m) for m in (motion, raise_seated(motion, 0.05, the_body())))
    np.testing.assert_allclose(after[:, 0, 1] - before[:, 0, 1], 0.05, atol=1e-5)
    np.testing.assert_allclose(after[:, 7:9], before[:, 7:9], atol=2e-3)


def test_a_small_height_error_is_settled_and_a_large_one_refused():
    motion = standing(the_body())
    settled = place(
        performance(replace(motion, transl=motion.transl + [0, 0.04, 0])), room(), the_body(), rng=np.random.default_rng(0)
    )
    assert abs(pose_body(the_body(), settled.people[0])[0][..., 1].min()) < 0.005
    assert refused(replace(motion, transl=motion.transl + [0, 0.2, 0]), room()).reason == "floats"
    assert refused(replace(motion, transl=motion.transl - [0, 0.2, 0]), room()).reason == "penetrates"


def test_a_jump_does_not_float():
    motion = standing(the_body(), frames=10)
    hop = np.zeros((10, 3))
    hop[3:6, 1] = 0.3, 0.45, 0.3
    place(performance(replace(motion, transl=motion.transl + hop)), room(), the_body(), rng=np.random.default_rng(0))


def test_refusals_name_their_reason():
    person = standing(the_body())
    tiny = replace(room(), floor=np.array([[0, 0.1], [0.1, 0.1], [0.1, 0], [0, 0.0]]))
    assert refused(person, tiny).reason == "off_floor"
    blocked = replace(
        room(), obstacles=(replace(room().obstacles[0], center=np.array([0, 1.0, 0]), size=np.array([9, 2, 9.0])),)
    )
    assert refused(person, blocked).reason == "in_furniture"
    away = replace(room().camera, T_world_camera=look_at([0, 2, 0], [0, 2.4, -3]))
    assert refused(person, replace(room(), camera=away)).reason == "out_of_view"
    far = replace(room().camera, T_world_camera=look_at([0, 8, 40], [0, 0, 0]))
    assert refused(person, replace(room(), camera=far, depth=np.zeros((96, 128), np.float32))).reason == "too_small"
    assert refused(person, replace(room(), depth=np.full((96, 128), 0.4, np.float32))).reason == "hidden"


def test_every_try_is_counted_and_every_reason_explained():
    error = refused(standing(the_body()), replace(room(), depth=np.full((96, 128), 0.4, np.float32)), tries=37)
    assert sum(error.counts.values()) == 37
    assert set(error.counts) <= set(REASONS)
    assert error.reason == error.counts.most_common(1)[0][0]
    assert error.reason in str(error)
    placed = place(performance(standing(the_body())), room(), the_body(), rng=np.random.default_rng(0))
    note = placed.provenance["placement"]
    assert note["tries"] == 1 + sum(Counter(note["turned_down"]).values())


def test_an_obstacle_turned_by_its_yaw_is_where_it_says():
    joints = joints_of(the_body(), standing(the_body(), frames=1, at=(0.9, 0.0)))
    plank = replace(room().obstacles[0], center=np.array([0, 0.5, 0]), size=np.array([0.3, 1.0, 3.0]), yaw=0.0)
    assert stands_free(joints, solid_of(replace(room(), obstacles=(plank,))), None) is None
    turned = replace(plank, yaw=np.pi / 2)
    assert stands_free(joints, solid_of(replace(room(), obstacles=(turned,))), None) == "in_furniture"


def test_a_seat_sunk_into_is_refused_but_a_cushion_gives():
    body, motion = the_body(), sitting()
    vertices, joints = pose_body(body, motion)
    x, z = motion.support_center
    for height, verdict in ((0.44, None), (0.49, None), (0.60, "penetrates")):
        seat = Surface(kind="chair", center=np.array([x, height, z]), size=(0.44, 0.44), yaw=0.0)
        assert carries(vertices, joints, 10.0, seat, body.part_of_vertex) == verdict


def test_sampled_skin_is_carried_as_the_whole_skin_is():
    body, rng = the_body(), np.random.default_rng(0)
    sample, _ = deciding_skin(body)
    verdicts, differ = Counter(), 0
    for number in range(60):
        action = ("walk", "sit_down", "lie", "get_up", "kneel")[number % 5]
        motion = make_action(action, rng=rng, body=body, betas=sample_betas(body, rng=rng), fps=10).take(slice(None, None, 4))
        motion = replace(motion, transl=motion.transl + [0.0, rng.uniform(-0.09, 0.09), 0.0])
        vertices, joints = pose_body(body, motion)
        some, _ = pose_points(body, motion, sample)
        support = own_support(motion)
        whole = carries(vertices, joints, 2.5, support, body.part_of_vertex)
        differ += whole != carries(some, joints, 2.5, support, body.part_of_vertex[sample.rows])
        verdicts[whole] += 1
    assert {None, "penetrates", "floats"} <= set(verdicts)
    assert differ <= 1  # within a millimetre of a limit


def walking(start, step, frames: int = 20):
    """Slides along z from ``start`` (x, z), ``step`` metres a frame."""
    return joints_of(the_body(), standing(the_body(), frames=frames, at=start, step=step))


@pytest.mark.parametrize("kind", ["bed", "chair"])
def test_nobody_walks_through_a_seat_or_bed_that_no_obstacle_stands_for(kind):
    size, height = {"bed": ((0.95, 2.0), 0.2), "chair": ((0.5, 0.5), 0.45)}[kind]
    surface = Surface(kind=kind, center=np.array([0.0, height, 0.0]), size=size, yaw=0.3)
    scene = replace(room(), surfaces=(surface,), obstacles=())
    assert stands_free(walking((0.0, -1.5), 0.15), solid_of(scene), None) == "in_furniture"
    assert stands_free(walking((1.3, -1.5), 0.15), solid_of(scene), None) is None


def test_feet_stand_beside_the_bed_that_carries_somebody_and_not_in_it():
    bed = Surface(kind="bed", center=np.array([0.0, 0.5, 0.0]), size=(0.95, 2.0), yaw=0.0)
    scene = replace(room(), surfaces=(bed,), obstacles=())
    assert stands_free(walking((0.6, 0.0), 0.0, 2), solid_of(scene), bed) is None
    assert stands_free(walking((0.0, 0.0), 0.0, 2), solid_of(scene), bed) == "in_furniture"
    on_top = walking((0.0, 0.0), 0.0, 2) + [0.0, 0.5, 0.0]
    assert stands_free(on_top, solid_of(scene), bed) is None


def test_a_bed_carries_the_first_person_only():
    motion = sitting()
    scene = replace(_open_room(), obstacles=())
    chair = scene.surfaces[1].center
    placed = place(performance(motion), scene, the_body(), rng=np.random.default_rng(0))
    assert placed.provenance["placement"]["support"] == "room"
    inside = standing(the_body(), frames=len(motion), at=motion.support_center)
    error = refused_pair(motion, inside, replace(scene, surfaces=(scene.surfaces[1],)))
    assert error.reason == "in_furniture", chair


def refused_pair(*people_and_scene) -> PlacementRejected:
    *people, scene = people_and_scene
    with pytest.raises(PlacementRejected) as caught:
        place(performance(*people), scene, the_body(), rng=np.random.default_rng(0), props=False)
    return caught.value


def test_skin_in_furniture_is_found_where_joints_keep_clear():
    motion = standing(the_body(), frames=2)
    vertices, _ = pose_body(the_body(), motion)
    front = float(vertices[0, np.abs(vertices[0, :, 1] - 1.0) < 0.1, 2].max())
    for gap, verdict in ((0.02, False), (-0.06, True)):
        rail = replace(room().obstacles[0], center=np.array([0.0, 1.0, front + gap + 0.05]), size=np.array([1.5, 0.04, 0.1]))
        assert pierces(vertices, solid_of(replace(room(), surfaces=(), obstacles=(rail,))), None) is verdict


def test_a_person_behind_a_box_counts_as_hidden_where_no_depth_is_known():
    screen = replace(room().obstacles[0], center=np.array([0.0, 1.0, 0.8]), size=np.array([3.0, 2.0, 0.05]))
    blind = replace(room(), depth=np.zeros_like(room().depth), surfaces=(), obstacles=(screen,))
    behind = walking((0.0, -0.3), 0.0, 2)
    assert seen(behind, blind.camera, blind.depth, solid_of(blind).hiding) == "hidden"
    assert seen(behind, blind.camera, blind.depth) is None
    narrow = replace(blind, floor=np.array([[-0.8, 0.0], [0.8, 0.0], [0.8, -1.2], [-0.8, -1.2]]))
    assert refused(standing(the_body()), narrow).reason == "hidden"
    assert refused(standing(the_body()), narrow, camera=blind.camera).reason == "hidden"


def test_who_lies_all_the_time_is_carried_by_a_bed_of_any_height():
    lie = make_action("lie", rng=np.random.default_rng(2), body=the_body(), fps=10, bed=0.5)
    for height in (0.15, 0.8):
        bed = Surface(kind="bed", center=np.array([0.6, height, -0.3]), size=(1.0, 2.1), yaw=0.4)
        scene = replace(room(), surfaces=(bed,), obstacles=(), depth=np.zeros_like(room().depth))
        placed = place(performance(lie), scene, the_body(), rng=np.random.default_rng(0), props=False).people[0]
        assert placed.support_height == pytest.approx(height)
        lowest = pose_body(the_body(), placed)[0][..., 1].min(1)
        assert (np.abs(lowest - height) < 0.06).all()
    down = make_action("lie_down", rng=np.random.default_rng(2), body=the_body(), fps=10)
    assert refused(down, scene, props=False).reason == "no_support"


def test_what_somebody_pushes_needs_room_too():
    walk, entry = take_up(standing(the_body(), frames=10), "walker", the_body(), rng=np.random.default_rng(0))
    alone = replace(performance(walk), provenance={"props": []})
    pushing = replace(performance(walk), provenance={"props": [entry]})
    corridor = replace(
        room(), surfaces=(), obstacles=(), depth=np.zeros_like(room().depth),
        floor=np.array([[-0.29, 1.0], [0.29, 1.0], [0.29, -1.0], [-0.29, -1.0]]),
    )  # fmt: skip
    assert place(alone, corridor, the_body(), rng=np.random.default_rng(0)).provenance["props"] == []
    with pytest.raises(PlacementRejected) as caught:
        place(pushing, corridor, the_body(), rng=np.random.default_rng(0))
    assert caught.value.reason == "off_floor"
    placed = place(pushing, room(), the_body(), rng=np.random.default_rng(0))
    assert placed.provenance["props"] == [entry]
    points = outline_points(entry, prop_track(entry, carrier_of(placed.people[0], the_body())))
    assert props_free(points, solid_of(room()), None) is None


def test_a_wheelchair_is_brought_along_where_chairs_are_free():
    asked = replace(performance(sitting()), provenance={"props": [{"kind": "wheelchair", "moving": False}]})
    placed = place(asked, _open_room(), the_body(), rng=np.random.default_rng(0), tries=300)
    (prop,) = placed.provenance["props"]
    assert prop["kind"] == "wheelchair"
    assert placed.provenance["placement"]["support"] == "prop"
    np.testing.assert_allclose(np.array(prop["center"])[[0, 2]], placed.people[0].support_center, atol=1e-9)
    with pytest.raises(PlacementRejected, match="no_support"):
        place(asked, _open_room(), the_body(), rng=np.random.default_rng(0), props=False)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_partners_keep_their_places_to_each_other_and_are_both_seen(seed):
    one, other = standing(the_body(), frames=4), standing(the_body(), frames=4, at=(0.0, 1.3))
    pair = replace(performance(one, other), provenance={"partner": {"name": "other"}})
    placed = place(pair, _open_room(), the_body(), rng=np.random.default_rng(seed))
    before, after = (
        joints_of(the_body(), there[1])[:, 0] - joints_of(the_body(), there[0])[:, 0] for there in (pair.people, placed.people)
    )
    np.testing.assert_allclose(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1), atol=1e-6)
    scene = _open_room()
    for motion in placed.people:
        assert seen(joints_of(the_body(), motion), scene.camera, scene.depth) is None


def test_no_partner_stands_in_a_seat_that_is_brought_along():
    beside = standing(the_body(), frames=4, at=(0.1, 0.0))
    inside = replace(performance(sitting(), beside), provenance={"partner": {"name": "other"}})
    scene = replace(_open_room(), surfaces=())
    with pytest.raises(PlacementRejected) as caught:
        place(inside, scene, the_body(), rng=np.random.default_rng(0), tries=60)
    assert "in_furniture" in caught.value.counts
    bystander = replace(inside, provenance={})
    assert place(bystander, scene, the_body(), rng=np.random.default_rng(0), tries=60).people[1] is not None
