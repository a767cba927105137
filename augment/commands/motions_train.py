"""``augment motions train`` and ``augment motions sample``: the motion generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class MotionsTrain:
    """Train a motion generator on a motion store.

    Safe to interrupt: the same command continues from the last checkpoint, and the result is bit-identical.
    """

    store: Annotated[Path, tyro.conf.Positional]
    """Motion store to learn from."""
    out: Path
    """Folder for generator.safetensors, its model card README.md, the checkpoint and the log."""
    steps: int = 6000
    """Training steps in total, those of an interrupted run included; fewer if motions that are held out say so."""
    seed: int = 0
    """Decides initial weights, batches and noise."""
    batch: int = 32
    """Motions a step."""
    rate: float = 2e-3
    """Peak learning rate; far less where training starts from trained weights: 0.001 undoes what they know."""
    ends: int = 0
    """Step at which the learning rate has fallen to zero, linearly from step 500 on; 0: it falls slowly, and never to zero."""
    start: Path | None = None
    """Folder or file of a trained generator to start from, ``shipped`` for that of the package; random weights if not given."""
    resume: Literal["automatic", "never"] = "automatic"
    """Continue from the checkpoint in the folder, or start over."""
    measure: bool = True
    """Measure the trained generator and write the figures into the model card (a few minutes)."""

    def run(self) -> None:
        from ..generators.card import measure_generator, write_card
        from ..generators.checkpoint import FILE_NAME, load_generator
        from ..generators.dataset import load_training_set
        from ..generators.options import TrainConfig
        from ..generators.train import train
        from ..progress import Progress

        start = None if self.start is None else load_generator(None if str(self.start) == "shipped" else self.start)
        data = load_training_set(self.store)
        print(f"{self.store}: {len(data)} motions of {len(data.actions)} actions")
        with Progress() as progress:

            def report(step: int, losses: dict[str, float]) -> None:
                shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
                progress.update("training", step, self.steps, note=shown)

            model = train(
                data,
                self.out,
                steps=self.steps,
                config=TrainConfig(seed=self.seed, batch=self.batch, rate=self.rate, ends=self.ends),
                resume=self.resume,
                start=start,
                report=report,
            )
        figures = measure_generator(model, data, seed=self.seed) if self.measure else {}
        write_card(model, data, self.out, figures)
        steps, card = model.facts["steps"], self.out / "README.md"
        print(f"{self.out / FILE_NAME}: trained for {steps} steps on {len(data)} motions; see {card}")


@dataclass(frozen=True, kw_only=True)
class MotionsSample:
    """Sample new motions of an action into a motion store, with a contact sheet to look at."""

    model: Annotated[Path, tyro.conf.Positional]
    """Folder or file of a trained generator; ``shipped`` for the weights that come with the package."""
    action: tuple[str, ...]
    """Actions to sample; a wrong name lists those the generator knows."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8
    """Motions of each action."""
    out: Path
    """Motion store to write; motions already in it stay."""
    seconds: float | None = None
    """Length, at most 10; drawn from the training motions' lengths, or made to suit the goal, if not given."""
    start: Annotated[tuple[float, float] | None, tyro.conf.arg(name="from", metavar="X Z")] = None
    """Where the pelvis starts, metres; the origin if not given."""
    to: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="X Z")] = None
    """Where the pelvis ends, metres; for actions on the floor."""
    heading: float | None = None
    """Heading at the end, degrees from +z towards +x."""
    seed: int = 0
    """The same seed gives the same motions."""
    guidance: dict[str, float] = field(default_factory=dict)
    """Weights of guidance by ``action``, ``support``, ``body``, ``goal``, ``heading``: 1 = as trained, more = more typical."""
    steps: int = 8
    """Denoising steps, at most 50."""

    def run(self) -> None:
        import torch

        from ..body.model import joints_of, load_body
        from ..generators.checkpoint import load_generator
        from ..generators.motion_sheet import contact_sheet
        from ..generators.sample import Wish, sample
        from ..motion.store import StoreWriter

        if self.n < 1:
            raise ValueError(f"-n must be at least 1, found {self.n}")
        body = load_body()
        model = load_generator(None if str(self.model) == "shipped" else self.model)
        motions = sample(
            model,
            [action for action in self.action for _ in range(self.n)],
            generator=torch.Generator().manual_seed(self.seed),
            wish=Wish(
                seconds=self.seconds,
                start=self.start or (0.0, 0.0),
                goal=self.to,
                heading=self.heading,
                guidance=self.guidance,
                steps=self.steps,
            ),
            rest_joints_of=body.rest_joints,
        )
        with StoreWriter(self.out) as store:
            for motion in motions:
                store.add(motion, rest_pelvis=body.rest_joints(motion.betas)[0])
        sheet = self.out / "contact_sheet.png"
        contact_sheet(motions, [joints_of(body, motion) for motion in motions], sheet)
        print(f"{self.out}: {len(motions)} motions; look at {sheet}")
