"""Quality of sampled motions, beside held-out ones and the nearest training motion: one evaluator, whose digest is printed.

    python -m benchmarks.motion evaluator --train STORE --out evaluator.safetensors
    python -m benchmarks.motion actor --train STORE --out actor.safetensors
    python -m benchmarks.motion compare --train STORE --test STORE --evaluator evaluator.safetensors --out DIR
    python -m benchmarks.motion speed
    python -m benchmarks.motion goals

``--train`` is what the generator learnt from; ``--test`` holds motions that it has not seen, of the same actions (``augment
motions library`` with another seed makes some). Each way of making motions is asked for one of the action of every test motion.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from augment.actions import ACTIONS
from augment.body.model import joints_of, load_body
from augment.files import sha256_of_file, write_atomic
from augment.generators.checkpoint import MotionGenerator, load_generator
from augment.generators.dataset import TrainingSet, default_rest_joints, load_training_set
from augment.generators.metrics import Figure, figures_of, load_evaluator, save_evaluator, train_evaluator
from augment.generators.sample import PACE, STEPS, Wish, sample
from augment.motion.contacts import foot_contacts
from augment.motion.features import motion_to_features
from augment.motion.plausibility import foot_skate

from .actor import load_actor, sample_actor, save_actor, train_actor

MOST_STEPS = 50
"""Steps of the sampler that few steps are measured against."""


@dataclass(frozen=True, kw_only=True)
class TrainEvaluator:
    """Train the evaluator on a motion store."""

    train: Path
    """Motion store."""
    out: Path
    """Its file."""
    steps: int = 400
    """Updates."""
    seed: int = 0
    """Decides initial weights and batches."""

    def run(self) -> None:
        data = load_training_set(self.train)
        generator = torch.Generator().manual_seed(self.seed)
        evaluator = train_evaluator(data, range(len(data)), generator=generator, steps=self.steps)
        digest = save_evaluator(evaluator, data.actions, self.out)
        print(f"{self.out}: knows {len(data.actions)} actions, {digest[:16]}")


@dataclass(frozen=True, kw_only=True)
class TrainActor:
    """Train ACTOR, a transformer VAE, on a motion store, to compare with."""

    train: Path
    """Motion store."""
    out: Path
    """Its file."""
    steps: int = 20_000
    """Updates."""
    seed: int = 0
    """Decides initial weights and batches."""

    def run(self) -> None:
        data, started = load_training_set(self.train), time.process_time()
        model = train_actor(data, generator=torch.Generator().manual_seed(self.seed), steps=self.steps)
        save_actor(model, data.actions, self.out)
        print(f"{self.out}: {self.steps} steps in {time.process_time() - started:.0f} s of processor time")


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Measure held-out, sampled and retrieved motions with one evaluator."""

    train: Path
    """Motion store that generator and evaluator learnt from."""
    test: Path
    """Motion store of unseen motions."""
    evaluator: Path
    """Of the first command."""
    out: Path
    """Folder for ``motion.json`` and ``motion.md``."""
    generator: Path | None = None
    """Folder or file of a trained generator; the shipped one if not given."""
    actor: Path | None = None
    """Of the second command; without one ACTOR is left out."""
    guidance: dict[str, float] = field(default_factory=dict)
    """As of ``augment motions sample``."""
    only: tuple[str, ...] = ()
    """Some of the columns; all by default."""
    seed: int = 0
    """Of samples and resamplings."""

    def run(self) -> None:
        known, test = load_training_set(self.train), load_training_set(self.test)
        model = load_generator(self.generator)
        evaluator, actions = load_evaluator(self.evaluator)
        for names, what in ((known.actions, self.train), (test.actions, self.test), (model.actions, "the generator")):
            if tuple(names) != actions:
                raise SystemExit(f"error: {what} has other actions than {self.evaluator}; both must have the same")
        digest = {"evaluator": sha256_of_file(self.evaluator)[:16]}
        falls = {index for index, name in enumerate(actions) if name in ACTIONS and ACTIONS[name].is_fall}
        asked = test.conditions.action.numpy()
        found: dict[str, dict[str, Figure]] = {}
        for name, make in self._makers(model, known, test).items():
            if self.only and name not in self.only:
                continue
            made = make()
            rng = np.random.default_rng(self.seed)
            found[name] = figures_of(evaluator, made, asked, known.channels, falls=falls, rng=rng)
            print(f"{name}: {len(made)} motions", file=sys.stderr, flush=True)
        self.out.mkdir(parents=True, exist_ok=True)
        table = _table(found)
        facts = {name: {key: [f.value, f.interval] for key, f in row.items()} for name, row in found.items()}
        write_atomic(self.out / "motion.json", json.dumps(digest | {"figures": facts}, indent=1).encode())
        write_atomic(self.out / "motion.md", table.encode())
        print(f"{table}\nevaluator {digest['evaluator']}; {self.out / 'motion.md'}")

    def _makers(
        self, model: MotionGenerator, known: TrainingSet, test: TrainingSet
    ) -> dict[str, Callable[[], Sequence[Tensor]]]:
        asked = [test.actions[index] for index in test.conditions.action]
        makers: dict[str, Callable[[], Sequence[Tensor]]] = {
            "real": lambda: test.channels,
            f"diffusion, {STEPS} steps": lambda: self._sampled(model, asked, STEPS),
            "diffusion, 4 steps": lambda: self._sampled(model, asked, 4),
            f"diffusion, {MOST_STEPS} steps": lambda: self._sampled(model, asked, MOST_STEPS),
            "nearest neighbour": lambda: retrieved(known, test),
        }
        if self.actor is not None:
            actor, actions = load_actor(self.actor)
            if actions != test.actions:
                raise SystemExit(f"error: {self.actor} knows other actions than {self.test}; both must have the same")
            generator = torch.Generator().manual_seed(self.seed)
            makers["ACTOR"] = lambda: sample_actor(actor, test, generator=generator)
        return makers

    def _sampled(self, model: MotionGenerator, asked: Sequence[str], steps: int) -> list[Tensor]:
        generator, rest_joints_of = torch.Generator().manual_seed(self.seed), default_rest_joints()
        wish = Wish(steps=steps, guidance=self.guidance)
        motions = sample(model, asked, generator=generator, wish=wish, rest_joints_of=rest_joints_of)
        return [motion_to_features(motion, rest_joints_of(motion.betas))[0].float() for motion in motions]


def retrieved(known: TrainingSet, test: TrainingSet) -> list[Tensor]:
    """For each test motion the training motion of the same action whose length, body and support are nearest."""

    def asked(data: TrainingSet) -> Tensor:
        conditions = data.conditions
        return torch.cat([conditions.seconds[:, None], 3 * conditions.support_height[:, None], 0.3 * conditions.betas], dim=1)

    distances = torch.cdist(asked(test), asked(known))
    distances[test.conditions.action[:, None] != known.conditions.action[None]] = torch.inf
    return [known.channels[int(row)] for row in distances.argmin(dim=1)]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds a clip of 5 s takes, at different numbers of steps; and what its denoising takes of them."""

    generator: Path | None = None
    """Folder or file of a trained generator; the shipped one if not given."""
    batch: int = 16
    """Motions at once."""
    rounds: int = 3
    """The best counts."""
    threads: int = 2
    """Threads of torch."""

    def run(self) -> None:
        torch.set_num_threads(self.threads)
        model, rest_joints_of = load_generator(self.generator), load_body().rest_joints
        for steps in (4, STEPS, MOST_STEPS):
            wish, best = Wish(steps=steps, seconds=5.0), (np.inf, np.inf)
            for _ in range(self.rounds):
                generator, started = torch.Generator().manual_seed(0), (time.perf_counter(), time.process_time())
                sample(model, ["walk"] * self.batch, generator=generator, wish=wish, rest_joints_of=rest_joints_of)
                best = min(best, (time.perf_counter() - started[0], time.process_time() - started[1]))
            print(f"{steps} steps: {best[0] / self.batch:.3f} s a clip, {best[1] / self.batch:.3f} s of processor time")


@dataclass(frozen=True, kw_only=True)
class Goals:
    """How far from its goal a walk ends and how much its feet slide: asked for a goal, and asked only for the same length."""

    generator: Path | None = None
    """Folder or file of a trained generator; the shipped one if not given."""
    count: int = 24
    """Walks."""
    seed: int = 0
    """Of goals and samples."""

    def run(self) -> None:
        model, body, rng = load_generator(self.generator), load_body(), np.random.default_rng(self.seed)
        rows: dict[str, list[tuple[float, ...]]] = {"with a goal": [], "without": []}
        for number in range(self.count):
            far, way = rng.uniform(0.5, 4.0), rng.uniform(-np.pi, np.pi)
            goal = (float(far * np.sin(way)), float(far * np.cos(way)))
            seconds = round(1.0 + far / PACE, 2)
            for name, wish, target in (("with a goal", Wish(goal=goal), goal), ("without", Wish(seconds=seconds), (0.0, far))):
                generator = torch.Generator().manual_seed(self.seed + number)
                (motion,) = sample(model, ["walk"], generator=generator, wish=wish, rest_joints_of=body.rest_joints)
                joints = np.asarray(joints_of(body, motion), np.float64)
                start, end = joints[0, 0, [0, 2]], joints[-1, 0, [0, 2]]
                late = abs(motion.seconds - seconds)
                skate = foot_skate(joints, foot_contacts(joints, motion.fps), motion.fps)
                rows[name].append((float(np.linalg.norm(end - target)), float(np.linalg.norm(start)), late, skate))
        print(
            "| | goal, m off: median / worst | start, m off: worst | length, s off: worst | foot skate, m/s |\n"
            + "|---" * 5
            + "|"
        )
        for name, found in rows.items():
            off, start, late, skate = np.array(found).T
            cells = (f"{np.median(off):.3f} / {off.max():.3f}", *(f"{x:.3f}" for x in (start.max(), late.max(), skate.mean())))
            print(f"| {name} | {' | '.join(cells)} |")


def _table(found: dict[str, dict[str, Figure]]) -> str:
    """Markdown: a row for each figure, a column for each way."""
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for name in names:
        cells = (str(row[name]) if name in row else "" for row in found.values())
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


COMMANDS = {"evaluator": TrainEvaluator, "actor": TrainActor, "compare": Compare, "speed": Speed, "goals": Goals}


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(COMMANDS).run()
