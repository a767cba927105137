"""The energy of a fit, term by term: nothing where nothing is wrong, more where more is, gradients as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from augment.body.balls import RADII, ball_centers
from augment.geometry import axis_angle_to_matrix, forward_kinematics, yaw_to_matrix
from augment.motion.contacts import FOOT_JOINTS
from augment.reconstruct.bodies import terms as terms
from augment.reconstruct.bodies.terms import Boxes, Chain
from augment.types import JOINT, Obstacle, Surface

SHARED: dict[str, Any] = {"dtype": torch.float64}


def chain_of(*lengths: int, fps: float = 20.0) -> Chain:
    person = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return Chain(person, torch.full((len(person),), fps, **SHARED))


def identity(frames: int) -> Tensor:
    return torch.eye(3, **SHARED).expand(frames, 24, 3, 3).clone()


def random_rotations(frames: int, seed: int = 0, spread: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return axis_angle_to_matrix(spread * torch.randn(frames, 24, 3, generator=generator, **SHARED))


def joints_for(body, rotations: Tensor) -> Tensor:
    """Joints (t, 24, 3) of a body whose lowest ball touches the floor."""
    joints, _ = forward_kinematics(rotations, torch.tensor(body.rest_joints(np.zeros(10)), **SHARED))
    gap = (ball_centers(joints)[..., 1] - torch.as_tensor(RADII)).amin(-1)
    return joints - torch.stack([torch.zeros_like(gap), gap, torch.zeros_like(gap)], -1)[:, None]


def with_bend(**radians: tuple[float, float, float]) -> Tensor:
    pose = torch.zeros(1, 24, 3, **SHARED)
    for name, turn in radians.items():
        pose[0, JOINT[name]] = torch.tensor(turn)
    return axis_angle_to_matrix(pose)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_robust_losses_are_squares_near_zero_and_level_off(scale):
    """Limits: rho(r) ~ r^2 for small r; Geman-McClure stays below s^2, Huber grows like 2 s r; both only grow."""
    small, large = torch.tensor([1e-8], **SHARED), torch.tensor([1e8], **SHARED)
    for loss in (terms.geman_mcclure, terms.huber):
        assert float(loss(torch.zeros(1), scale)) == 0
        torch.testing.assert_close(loss(small, scale), small, rtol=1e-6, atol=0)
        values = loss(torch.linspace(0, 50, 200, **SHARED) ** 2, scale)
        assert (values.diff() > 0).all()
    assert float(terms.geman_mcclure(large, scale)) == pytest.approx(scale**2, rel=1e-4)
    assert float(terms.geman_mcclure(large, scale)) < scale**2
    assert float(terms.huber(large, scale)) == pytest.approx(2 * scale * 1e4, rel=1e-3)


def test_a_chain_crosses_no_person():
    """Of five frames of one and four of another, three and two are inner, four and three steps are joined."""
    chain = chain_of(5, 4)
    assert chain.inner.tolist() == [True] * 3 + [False] * 2 + [True] * 2
    assert chain.joined.tolist() == [True] * 4 + [False] + [True] * 3
    assert chain_of(1, 1, 2, 3).inner.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("term", ["acceleration", "turning", "skate"])
def test_nothing_is_smoothed_across_people(term):
    """The row of two people costs what each of them costs alone; where the other one stands changes nothing."""
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(6, 24, 3, generator=generator, **SHARED), torch.randn(5, 24, 3, generator=generator, **SHARED)
    contact = torch.ones(11, 4, **SHARED)

    def cost(points: Tensor, rows: slice, chain: Chain) -> Tensor:
        if term == "acceleration":
            return terms.acceleration(points, chain, 4.0)
        if term == "turning":
            return terms.turning(axis_angle_to_matrix(points), chain, 60.0)
        return terms.foot_skate(points, contact[rows], chain)

    both = cost(torch.cat([first, second + 50.0 * (term != "turning")]), slice(0, 11), chain_of(6, 5))
    alone = torch.cat([cost(first, slice(0, 6), chain_of(6)), cost(second, slice(6, 11), chain_of(5))])
    assert (alone > 0).any()
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize("frames", [1, 2])
def test_very_short_people_cost_nothing_to_smooth(frames):
    """One or two frames have no acceleration, and no frame is lost from the row."""
    chain = chain_of(frames, frames)
    rotations = random_rotations(2 * frames)
    assert terms.acceleration(rotations[..., 0], chain, 4.0).tolist() == [0.0] * 2 * frames
    assert terms.turning(rotations, chain, 60.0).tolist() == [0.0] * 2 * frames


def test_reprojection_is_zero_on_the_points_and_grows_away_from_them():
    generator = torch.Generator().manual_seed(1)
    uv = 100 * torch.rand(3, 5, 2, generator=generator, **SHARED)
    weight, sigma = torch.ones(3, 5, **SHARED), torch.full((3, 5), 4.0, **SHARED)
    assert terms.reprojection(uv, uv, weight, sigma, 8.0).tolist() == [0.0] * 3
    costs = [float(terms.reprojection(uv + off, uv, weight, sigma, 8.0).sum()) for off in (1.0, 5.0, 20.0, 1e6)]
    assert costs == sorted(costs)
    assert costs[-1] < 3 * 5 * 8.0**2
    unseen = terms.reprojection(uv + 99.0, uv, torch.zeros_like(weight), sigma, 8.0)
    assert unseen.tolist() == [0.0] * 3
    one_sigma = terms.reprojection(uv + torch.tensor([4.0, 0.0]), uv, weight, sigma, 1e3)
    torch.testing.assert_close(one_sigma, torch.full((3,), 5.0, **SHARED), rtol=1e-4, atol=0)


def test_relative_points_ask_not_where_the_body_is():
    """Invariance: moving all points changes nothing; bending them does; points without weight say nothing."""
    generator = torch.Generator().manual_seed(2)
    points = torch.randn(4, 6, 3, generator=generator, **SHARED)
    weight = torch.rand(4, 6, generator=generator, **SHARED) + 0.1
    moved = terms.relative_points(points + torch.tensor([3.0, -1.0, 7.0]), points, weight, 0.08)
    torch.testing.assert_close(moved, torch.zeros(4, **SHARED), atol=1e-20, rtol=0)
    bent = points.clone()
    bent[:, 0, 1] += 0.1
    assert (terms.relative_points(bent, points, weight, 0.08) > 0.01).all()
    weight[:, 0] = 0
    torch.testing.assert_close(terms.relative_points(bent, points, weight, 0.08), torch.zeros(4, **SHARED), atol=1e-20, rtol=0)


def test_turned_from_measures_angles():
    """Known answer: half a sigma away costs a quarter; the distance is the squared angle, and symmetric."""
    angle = 0.05
    turned = axis_angle_to_matrix(torch.tensor([[0.0, angle, 0.0]], **SHARED))
    other = torch.eye(3, **SHARED)[None]
    assert float(terms.rotation_distance2(turned, other)) == pytest.approx(angle**2, rel=1e-3)
    assert float(terms.rotation_distance2(turned, other)) == float(terms.rotation_distance2(other, turned))
    assert float(terms.rotation_distance2(axis_angle_to_matrix(torch.tensor([np.pi, 0.0, 0.0], **SHARED)), other[0])) == 4.0
    start, rotations = identity(2), identity(2)
    rotations[1, 5] = turned[0]
    cost = terms.turned_from(rotations, start, torch.full((24,), 2 * angle, **SHARED), 100.0)
    np.testing.assert_allclose(cost, [0.0, 0.25], rtol=1e-2)


@pytest.mark.parametrize(
    ("joint", "right_way"),
    [("left_knee", (0.6, 0.0, 0.0)), ("right_knee", (0.6, 0.0, 0.0)), ("left_elbow", (0.0, -0.6, 0.0)),
     ("right_elbow", (0.0, 0.6, 0.0))],
)  # fmt: skip
def test_only_the_wrong_way_of_bending_costs(joint, right_way):
    wrong_way = tuple(-value for value in right_way)
    straight, right, wrong = (float(terms.bend(r)[0]) for r in (identity(1), with_bend(**{joint: right_way}),
                                                                with_bend(**{joint: wrong_way})))  # fmt: skip
    assert right < straight < wrong
    assert wrong - straight > 10 * (straight - right)


def test_the_right_way_of_bending_is_how_the_body_bends(body):
    """A knee bent at +x takes the ankle backwards; elbows bent the cheap way take the wrists forwards."""
    joints = joints_for(body, identity(1))[0]
    bent = joints_for(body, with_bend(left_knee=(1.0, 0, 0), left_elbow=(0, -1.0, 0), right_elbow=(0, 1.0, 0)))[0]
    assert bent[JOINT["left_ankle"], 2] < joints[JOINT["left_ankle"], 2] - 0.2
    for side in ("left", "right"):
        assert bent[JOINT[f"{side}_wrist"], 2] > joints[JOINT[f"{side}_wrist"], 2] + 0.1


def test_steady_motion_has_no_acceleration():
    """Zero for a point at constant speed; for a constant 8 m/s^2 twice sigma; heavy tails grow linearly."""
    t = torch.arange(8, **SHARED)[:, None, None] / 20.0
    chain = chain_of(8)
    steady = torch.tensor([1.0, 2.0, 3.0]) * t.expand(8, 24, 3)
    torch.testing.assert_close(terms.acceleration(steady, chain, 4.0), torch.zeros(8, **SHARED), atol=1e-15, rtol=0)
    falling = torch.tensor([0.0, 4.0, 0.0]) * t.expand(8, 24, 3) ** 2
    cost = terms.acceleration(falling, chain, 4.0)
    expected = float(terms.huber(torch.tensor(4.0), 2.0))
    np.testing.assert_allclose(cost, [0, *[expected] * 6, 0], rtol=1e-6)
    assert 5 < float(terms.acceleration(falling * 100, chain, 4.0)[3] / terms.acceleration(falling * 10, chain, 4.0)[3]) < 15


def test_the_rate_of_the_video_does_not_change_acceleration():
    """The same motion at 20 and at 40 frames a second costs as much a frame."""

    def cost(fps: float, frames: int) -> float:
        t = torch.arange(frames, **SHARED)[:, None, None].expand(frames, 24, 3) / fps
        return float(terms.acceleration(3 * t**2, chain_of(frames, fps=fps), 4.0)[2])

    assert cost(20.0, 6) == pytest.approx(cost(40.0, 9))


def test_steady_turns_are_not_free_but_rest_is():
    assert terms.turning(random_rotations(1).expand(6, 24, 3, 3), chain_of(6), 60.0).tolist() == [0.0] * 6
    jumping = identity(6)
    jumping[3] = random_rotations(1)[0]
    assert (terms.turning(jumping, chain_of(6), 60.0)[[2, 3, 4]] > 0).all()


def test_standing_feet_may_not_skate():
    """Nothing for a foot at rest or one in the air; a standing foot at 0.1 m/s costs about one; both frames must stand."""
    chain, joints = chain_of(4), torch.zeros(4, 24, 3, **SHARED)
    contact = torch.zeros(4, 4, **SHARED)
    contact[:, 0] = 1.0
    assert terms.foot_skate(joints, contact, chain).tolist() == [0.0] * 4
    sliding = joints.clone()
    sliding[:, JOINT["left_ankle"], 0] = torch.arange(4) * 0.1 / 20.0
    np.testing.assert_allclose(terms.foot_skate(sliding, contact, chain), [0, 1, 1, 1], rtol=0.05)
    assert terms.foot_skate(sliding, torch.zeros(4, 4, **SHARED), chain).tolist() == [0.0] * 4
    contact[2] = 0
    assert (terms.foot_skate(sliding, contact, chain) > 0).tolist() == [False, True, False, False]


def test_touching_feet_may_not_hover():
    """Nothing at the height of the sole; equally much above and below."""
    joints = torch.zeros(3, 24, 3, **SHARED)
    joints[:, list(FOOT_JOINTS), 1] = torch.tensor(terms.SOLE, **SHARED)
    contact = torch.ones(3, 4, **SHARED)
    assert terms.hover(joints, contact, 0.02).sum() < 1e-12
    joints[1, :, 1] += 0.3
    joints[2, :, 1] -= 0.3
    cost = terms.hover(joints, contact, 0.02)
    assert float(cost[1]) > 10
    assert float(cost[1]) == pytest.approx(float(cost[2]))
    assert float(terms.hover(joints, torch.zeros(3, 4, **SHARED), 0.02).sum()) == 0


def test_who_stands_on_the_floor_neither_penetrates_nor_floats(body):
    joints = joints_for(body, identity(1))
    balls = ball_centers(joints)
    assert float(terms.floor_penetration(balls, 0.02)) < 1e-12
    assert float(terms.unsupported(balls, 0.05, 3.0)) < 1e-12
    down, up = torch.tensor([0.0, -0.1, 0.0]), torch.tensor([0.0, 0.1, 0.0])
    assert float(terms.floor_penetration(balls + down, 0.02)) > 10
    assert float(terms.unsupported(balls + down, 0.05, 3.0)) == 0
    assert float(terms.floor_penetration(balls + up, 0.02)) == 0
    near, far = (float(terms.unsupported(balls + k * up, 0.05, 3.0)) for k in (1, 20))
    assert 1 < near < far < 9


def test_balls_follow_the_body(body):
    """Equivariance: moving all joints moves all balls; mirrored balls of the zero pose are one another's images."""
    joints = joints_for(body, random_rotations(3))
    shift = torch.tensor([1.0, 2.0, 3.0], **SHARED)
    torch.testing.assert_close(ball_centers(joints + shift), ball_centers(joints) + shift)
    assert ball_centers(joints).shape == (3, len(RADII), 3)


MIRROR = [JOINT[n.replace("left", "right") if "left" in n else n.replace("right", "left")] for n in JOINT]


def test_self_contact_is_symmetric_and_rests_in_ordinary_poses(body):
    """A standing body costs next to nothing; an arm through the other arm costs; the mirror image costs the same."""
    hanging = with_bend(left_shoulder=(0, 0, -1.2), right_shoulder=(0, 0, 1.2))
    for rotations in (identity(1), hanging):
        assert float(terms.self_contact(ball_centers(joints_for(body, rotations)))) < 2.0
    poses = torch.randn(12, 24, 3, generator=torch.Generator().manual_seed(3), **SHARED) * 0.8
    mirrored = poses[:, MIRROR] * torch.tensor([1.0, -1.0, -1.0], **SHARED)
    rest = torch.tensor(body.rest_joints(np.zeros(10)), **SHARED)
    rest = (rest + rest[MIRROR] * torch.tensor([-1.0, 1.0, 1.0], **SHARED)) / 2
    one, other = (
        terms.self_contact(ball_centers(forward_kinematics(axis_angle_to_matrix(p), rest)[0])) for p in (poses, mirrored)
    )
    assert (one > 5).any()
    torch.testing.assert_close(one, other)


def test_self_contact_drives_limbs_apart(body):
    """A wrist in the other thigh and a shank in the other shank are found, and the gradient leads out."""
    joints = joints_for(body, identity(1))
    joints[0, JOINT["left_ankle"]] = joints[0, JOINT["right_ankle"]] + torch.tensor([0.02, 0.0, 0.0])
    joints[0, JOINT["left_foot"]] = joints[0, JOINT["right_foot"]] + torch.tensor([0.02, 0.0, 0.0])
    joints.requires_grad_()
    cost = terms.self_contact(ball_centers(joints)).sum()
    cost.backward()
    assert cost.item() > 10
    assert joints.grad is not None
    assert float(joints.grad[0, JOINT["left_ankle"], 0]) < 0 < float(joints.grad[0, JOINT["right_ankle"], 0])


def test_two_people_push_each_other_away(body):
    """Nothing a metre apart, much in the same place, less the further apart; the order of the two does not matter."""
    joints = joints_for(body, identity(1)).repeat(2, 1, 1)
    pair = torch.tensor([[0, 1]])
    costs = []
    for apart in (0.0, 0.1, 0.2, 0.3, 0.5, 3.0):
        balls = ball_centers(joints + torch.tensor([[0.0, 0, 0], [0, 0, apart]], **SHARED)[:, None])
        costs.append(float(terms.between_people(balls, pair)))
        assert costs[-1] == pytest.approx(float(terms.between_people(balls, pair.flip(1))))
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 100
    assert costs[-2:] == [0.0, 0.0]
    assert terms.between_people(ball_centers(joints), torch.zeros(0, 2, dtype=torch.int64)).shape == (0,)


def box(center, size, yaw: float = 0.0) -> Boxes:
    found = terms.boxes_of((Obstacle(name="table", center=np.array(center), size=np.array(size), yaw=yaw),), ())
    assert found is not None
    return Boxes(found.T_box_world.double(), found.half.double())


def depth_at(point, boxes: Boxes, ball: int = 0) -> float:
    balls = torch.full((1, len(RADII), 3), 99.0, **SHARED)
    balls[0, ball] = torch.tensor(point)
    return float(terms.box_depth(balls, boxes)[0, 0, ball])


def test_depth_in_boxes_has_known_answers():
    """A ball counts with 0.8 of its radius: outside 0, at a face that much, deeper more, 0.3 m at most."""
    boxes, reach = box([1.0, 0.5, 2.0], [2.0, 1.0, 0.6]), 0.8 * float(RADII[0])
    assert depth_at([1.0, 0.5, 2.3], boxes) == pytest.approx(reach, abs=1e-6)
    assert depth_at([1.0, 0.5, 2.25], boxes) == pytest.approx(reach + 0.05, abs=1e-6)
    assert depth_at([1.0, 0.5, 2.3 + reach + 0.001], boxes) == 0.0
    assert depth_at([1.0, 0.5, 2.0], boxes) == pytest.approx(0.3)
    corner = [2.0 + 0.03, 1.0 + 0.04, 2.0]
    assert depth_at(corner, boxes) == pytest.approx(reach - 0.05, abs=1e-6)
    balls = torch.full((1, len(RADII), 3), 99.0, **SHARED)
    assert float(terms.inside_boxes(balls, boxes)) == 0
    balls[0, 0] = torch.tensor([1.0, 0.5, 2.3])
    assert float(terms.inside_boxes(balls, boxes)) > 1


@pytest.mark.parametrize("yaw", [0.4, -1.1, np.pi / 2])
def test_a_turned_box_holds_what_was_turned_with_it(yaw):
    """Equivariance with the package's own yaw (+z goes towards +x); a box's own axes are ``Obstacle``'s."""
    turn = yaw_to_matrix(torch.tensor(yaw, **SHARED)).numpy()
    center = np.array([1.0, 0.5, 2.0])
    plain, turned = box(center, [2.0, 1.0, 0.6]), box(center, [2.0, 1.0, 0.6], yaw)
    for offset in np.random.default_rng(0).uniform(-1.2, 1.2, size=(60, 3)) * [1, 0.5, 0.5]:
        assert depth_at(center + turn @ offset, turned) == pytest.approx(depth_at(center + offset, plain), abs=1e-6)
    assert depth_at(center + turn @ np.array([0.9, 0, 0]), turned) > 0.1 > 0 == depth_at(center + turn @ [0, 0, 0.9], turned)


def test_a_seat_is_a_box_from_the_floor_that_yields():
    """Sitting 4 cm deep in a seat is free; below it is not; without furniture there are no boxes."""
    assert terms.boxes_of((), ()) is None
    seat = Surface(kind="chair", center=np.array([0.0, 0.45, 1.0]), size=(0.5, 0.4), yaw=0.3)
    boxes = terms.boxes_of((), (seat,))
    assert boxes is not None
    boxes = Boxes(boxes.T_box_world.double(), boxes.half.double())
    reach = 0.8 * float(RADII[0])
    assert depth_at([0.0, 0.41 + reach + 0.001, 1.0], boxes) == 0.0
    assert depth_at([0.0, 0.41, 1.0], boxes) == pytest.approx(reach, abs=1e-5)
    assert depth_at([0.0, 0.2, 1.0], boxes) > 0.2


def test_gradients_are_right_in_double():
    """``gradcheck`` of every term at a random state."""
    generator = torch.Generator().manual_seed(5)
    rotations, start, chain = random_rotations(4, 1), random_rotations(4, 2), chain_of(4)
    joints = torch.rand(4, 24, 3, generator=generator, **SHARED) * 1.5
    uv, seen = (50 * torch.rand(4, 3, 2, generator=generator, **SHARED) for _ in range(2))
    weight, sigma = torch.rand(4, 3, generator=generator, **SHARED) + 0.1, torch.full((4, 3), 3.0, **SHARED)
    points, known = (torch.randn(4, 3, 3, generator=generator, **SHARED) for _ in range(2))
    contact, pair, boxes = torch.rand(4, 4, **SHARED), torch.tensor([[0, 1]]), box([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], 0.7)
    checks = [
        (lambda x: terms.reprojection(x, seen, weight, sigma, 4.0), uv),
        (lambda x: terms.relative_points(x, known, weight, 0.3), points),
        (lambda x: terms.turned_from(x, start, torch.full((24,), 0.4, **SHARED)), rotations),
        (lambda x: terms.acceleration(x, chain, 400.0), joints),
        (lambda x: terms.turning(x, chain, 60.0), rotations),
        (lambda x: terms.foot_skate(x, contact, chain), joints),
        (lambda x: terms.hover(x, contact, 0.5), joints),
        (lambda x: terms.floor_penetration(ball_centers(x) - 0.2, 0.1), joints),
        (lambda x: terms.unsupported(ball_centers(x) + 0.2, 0.5, 3.0), joints),
        (lambda x: terms.self_contact(ball_centers(x)), joints * 0.3),
        (lambda x: terms.between_people(ball_centers(x), pair), joints * 0.3),
        (lambda x: terms.inside_boxes(ball_centers(x), boxes), joints),
    ]
    for term, at in checks:
        assert float(term(at).sum()) > 0
        at = at.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, term=term: term(x).sum(), (at,), fast_mode=True)
    pose = (0.3 * torch.randn(2, 24, 3, generator=generator, **SHARED)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: terms.bend(axis_angle_to_matrix(x)).sum(), (pose,), fast_mode=True)


def test_gradients_are_finite_where_nothing_is_known():
    """At rest, at zero distance and with zero weight, where square roots have no slope, gradients are numbers."""
    rotations = identity(4).requires_grad_()
    joints = torch.zeros(4, 24, 3, **SHARED, requires_grad=True)
    balls, chain = ball_centers(joints), chain_of(4)
    total = (
        terms.bend(rotations).sum() + terms.turning(rotations, chain, 60.0).sum() + terms.acceleration(joints, chain, 4.0).sum()
        + terms.turned_from(rotations, identity(4), torch.full((24,), 0.2, **SHARED)).sum()
        + terms.self_contact(balls).sum() + terms.between_people(balls, torch.tensor([[0, 1]])).sum()
        + terms.inside_boxes(balls, box([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])).sum() + terms.floor_penetration(balls, 0.02).sum()
    )  # fmt: skip
    total.backward()
    assert rotations.grad is not None
    assert joints.grad is not None
    assert rotations.grad.isfinite().all()
    assert joints.grad.isfinite().all()
