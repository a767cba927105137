"""One helps the other up from a chair or from the floor, hands in hands. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ..scripted import ik
from ..scripted.curves import between, ramp, smooth, window
from ..scripted.goals import Track
from ..scripted.manner import Manner, Take, pick, relaxed
from ..scripted.pose import PosePlan, solve
from ..scripted.rig import ARM, SIDES, SIGN, Rig
from ..scripted.rise_sitting import SittingTimes, rise_sitting
from ..scripted.seated import ChairManner, act_stand_up, draw_seat
from .crouch import crouching
from .duo import Duo, PairManner, Place, Player, Touch, arm_length, draw_people, hand_goal

Rigs = tuple[Rig, Rig]


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpUpManner(PairManner):
    """``side`` is the first person's hand that is held where one is."""

    hands: str
    """Held ones: ``both`` or ``one``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """When the hands are together while somebody rises."""

    take: float
    """Second at which the helper has the hands."""
    rise: float
    """Second at which the pelvis begins to rise."""
    up: float
    """Second at which the person stands."""
    free: float
    """Second at which the hands let go."""
    drop: float
    """How far below the shoulders of who rises the hands are at first, share of the arm's length."""
    clear: float = 0.0
    """Metre along z from which on the helper is not in the way at the start."""


def draw_help_up_from_chair(rng: np.random.Generator, rigs: Rigs) -> HelpUpManner:
    shared = draw_people(rng, 5.0, 8.5)
    seat: dict[str, Any] = asdict(draw_seat(rng, rigs[0])) | {"gesture": "none", "hands": "thighs"} | asdict(shared["first"])
    people: dict[str, Any] = shared | {"first": ChairManner(**seat)}
    return HelpUpManner(**people, hands=pick(rng, both=0.75, one=0.25))


def draw_help_up_from_floor(rng: np.random.Generator, rigs: Rigs) -> HelpUpManner:
    return HelpUpManner(**draw_people(rng, 7.0, 9.5), hands=pick(rng, both=0.6, one=0.4))


def act_help_up_from_chair(t: np.ndarray, rigs: Rigs, manner: HelpUpManner, *, rng: np.random.Generator) -> Duo:
    """Who sits gives both hands or one, leans forward and rises while the helper draws."""
    person, seconds = manner.first, manner.seconds
    assert isinstance(person, ChairManner)
    wait = 1.2
    shorter = ChairManner(**(asdict(person) | {"seconds": seconds - wait, "side": "left"}))
    take = _delayed(act_stand_up(t - wait, rigs[0], shorter, rng=rng), wait)
    (_, rise), (_, up), _ = take.segments
    pull = Pull(
        take=rise - 0.05, rise=between(rise, up, 0.2), up=up, free=min(up + rng.uniform(0.2, 0.6), seconds - 0.4),
        drop=0.36,
    )  # fmt: skip
    return _raised(t, rigs, manner, take, pull, rng=rng)


def act_help_up_from_floor(t: np.ndarray, rigs: Rigs, manner: HelpUpManner, *, rng: np.random.Generator) -> Duo:
    """Who lies on the floor sits up and draws the feet in; the helper takes the hands and pulls."""
    seconds = manner.seconds
    times = SittingTimes(*(np.array([0.05, 0.28, 0.46, 0.66, 0.86]) * seconds * rng.uniform(0.97, 1.03)))
    person = Manner(**(asdict(manner.first) | {"side": "left", "seconds": seconds}))
    plan, begin, up = rise_sitting(t, rigs[0], person, rng=rng, times=times)
    take = Take(plan=plan, segments=[("lying", begin), ("stand_up", up), ("standing", seconds)])
    # Held by the hands, nobody leans forward as far as alone.
    upright = window(
        t, between(times.drawn, times.squat, 0.5), between(times.squat, up, 0.3), 0.5 * (times.squat - times.drawn)
    )
    plan.turn = plan.turn @ ik.lean(-0.38 * upright)
    plan.head[:, 0] += 0.15 * upright
    pull = Pull(
        take=times.drawn, rise=between(times.drawn, times.squat, 0.2), up=up, free=min(up + 0.3, seconds - 0.35), drop=-0.05,
        clear=rigs[0].leg + 0.42 * rigs[1].scale,
    )  # fmt: skip
    return _raised(t, rigs, manner, take, pull, rng=rng)


def _delayed(take: Take, wait: float) -> Take:
    """The take, ``wait`` seconds later."""
    plan = take.plan
    plan.t = plan.t + wait
    for tracks in (plan.legs, plan.arms):
        for side, track in tracks.items():
            tracks[side] = [(start + wait, end + wait, goal) for start, end, goal in track]
    take.segments = [(label, end + wait) for label, end in take.segments]
    return take


def _raised(t: np.ndarray, rigs: Rigs, manner: HelpUpManner, take: Take, pull: Pull, *, rng: np.random.Generator) -> Duo:
    """Both players: the hands are together from ``pull.take`` to ``pull.free``."""
    sides = SIDES if manner.hands == "both" else ("left",)
    places = _hand_paths(t, rigs[0], take.plan, pull)
    ahead = places["left"][:, 2] + np.interp(places["left"][:, 1] / rigs[1].scale, [0.7, 1.05], [0.36, 0.40]) * rigs[1].scale
    taken, up = (int(np.searchsorted(t, second)) for second in (pull.take, pull.up))
    near = float(ahead[taken])
    far = max(float(ahead[up]), float(ahead[taken:up].max()) - 0.06)
    stands = [(-9.0, far - max(near, pull.clear)), (pull.take - 0.75, far - near), (between(pull.rise, pull.up, 0.1), 0.0)]
    stands = stands if pull.clear else stands[1:]
    bent = ramp(t, pull.take - 1.1, pull.take) * (1 - ramp(t, pull.up - 0.2, pull.up + 0.5))
    plan = crouching(t, rigs[1], manner.second, places["left"][:, 1], bent, stands=stands, rng=rng)
    one = Player(rig=rigs[0], take=take, place=Place())
    two = Player(rig=rigs[1], take=Take(plan=plan, segments=[("standing", manner.seconds)]), place=Place(z=far, yaw=np.pi))
    for side in sides:
        other = "right" if side == "left" else "left"
        inward = np.array([-0.25 * SIGN[side], 0.0, 0.0])
        down = np.array([0.0, -1.0, 0.0])
        given = Touch(at=places[side], fingers=inward + [0, 0.1, 1], palm=down, pole=(0.6 * SIGN[side], -1.0, -0.3))
        taken = Touch(at=places[side], fingers=inward + [0, -0.1, -1], palm=-down, pole=(0.5 * SIGN[side], -1.0, 0.4))
        for player, hand, touch, person in ((one, side, given, manner.first), (two, other, taken, manner.second)):
            before = player.take.plan.arms[hand]
            kept = [key for key in before if key[1] < pull.take - 0.1] or before[:1]
            track: Track = [*kept, (pull.take - 0.8, pull.take, hand_goal(player, hand, touch))]
            player.take.plan.arms[hand] = [*track, (pull.free, pull.free + 0.7, relaxed(t, person, rng=rng))]
    return Duo(players=(one, two), touch=(pull.take, pull.free))


def _hand_paths(t: np.ndarray, rig: Rig, plan: PosePlan, pull: Pull) -> dict[str, Float[np.ndarray, "t 3"]]:
    """Where the hands of who rises are held: stretched out at first, lower and nearer when standing."""
    shoulders = solve(plan, rig).positions[:, [ARM["left"][1], ARM["right"][1]]].mean(axis=1)
    shoulders = smooth(shoulders, 2.0)
    risen = ramp(t, pull.rise, pull.up)
    reach = arm_length(rig)
    low = np.array([0.0, -pull.drop * reach, 0.84 * reach])
    end = np.array([0.0, -0.55 * reach, 0.60 * reach])
    middle = shoulders + low * (1 - risen[:, None]) + end * risen[:, None]
    # The hands wait where they are taken, and stay where they are let go.
    first, last = np.searchsorted(t, pull.take), min(np.searchsorted(t, pull.free), len(t) - 1)
    middle = middle[np.clip(np.arange(len(t)), first, last)]
    middle[:, 0] = middle[:, 0].mean()
    middle[:, 1] = np.maximum.accumulate(middle[:, 1])
    aside = 0.85 * float(rig.rest[ARM["left"][1], 0])
    return {side: smooth(middle, 1.5) + [SIGN[side] * aside, 0.0, 0.0] for side in SIDES}
