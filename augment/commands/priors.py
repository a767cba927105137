"""``augment priors train``, ``sample`` and ``evaluate``: priors of poses and movements, learned from motions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class PriorsTrain:
    """Train a prior on a motion store: an energy that is low for likely poses and movements.

    Reconstruction minimises it beside the errors of the detections, so that unseen joints get likely positions.
    Train your own for movements that the shipped prior was not trained on: import mocap of them with `augment motions import`.
    Safe to interrupt: the same command continues where it stopped. Weights carry the licences of the motions they learned
    from; the model card beside the file lists them.
    """

    kind: Annotated[Literal["gmm", "vposer", "posendf", "humor"], tyro.conf.Positional]
    """gmm: mixture of Gaussians over poses; seconds to fit, a sound default. vposer: autoencoder of poses, also makes new
    ones. posendf: distance from the set of real poses. humor: what comes after a pose, so it judges movement."""
    store: Annotated[Path, tyro.conf.Positional]
    """Motion store to learn from (`augment motions library` or `import` make one)."""
    out: Path
    """File to write, .safetensors; its model card goes beside it as .md."""
    steps: int | None = None
    """Training steps in total, those of an interrupted run included; the kind's own number by default."""
    seed: int = 0
    """Decides initial weights, batches and noise: the same seed gives the same file."""
    held_out: float = 0.1
    """Share of the people (or recordings) kept from training; the energy is scaled to 1 at their median."""
    fps: float = 30.0
    """Frames a second that motions are resampled to."""
    max_frames: int = 400_000
    """Most frames to read; of a larger store whole motions are left out."""

    def run(self) -> None:
        from ..priors.card import write_card
        from ..priors.poses import pose_dataset
        from ..priors.registry import read_prior_file
        from ..priors.train import train_prior
        from ..progress import Progress

        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--steps {self.steps}: expected 1 or more")
        data = pose_dataset(self.store, fps=self.fps, held_out=self.held_out, max_frames=self.max_frames)
        held = int(data.held_out.sum())
        print(f"{self.store}: {len(data)} motions, {len(data.rotations)} frames; {held} motions held out")
        with Progress() as progress:

            def report(step: int, steps: int, losses: dict[str, float]) -> None:
                shown = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
                progress.update(f"training {self.kind}", step, steps, note=shown)

            train_prior(self.kind, data, self.out, seed=self.seed, steps=self.steps, report=report)
        stored = read_prior_file(self.out)
        command = f"Made by `augment priors train {self.kind} STORE --seed {self.seed}`."
        card = self.out.with_suffix(".md")
        write_card(stored, card, (command,))
        licences = ", ".join(sorted({str(row.get("licence")) for row in stored.training_data}))
        print(f"licences of the training motions: {licences}")
        print(f"{self.out}: a {self.kind} prior; model card {card}")


@dataclass(frozen=True, kw_only=True)
class PriorsSample:
    """Draw new poses from a prior into a picture to look at.

    Limbs bent the wrong way mean too little data or too little training.
    """

    prior: Annotated[str, tyro.conf.Positional]
    """File of a prior that can draw poses (gmm, vposer or posendf), or `shipped` for the one that comes with the package."""
    out: Path
    """The PNG to write."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 24
    """Poses, at most 100."""
    seed: int = 0
    """The same seed gives the same poses."""

    def run(self) -> None:
        import torch

        from ..priors.pose_sheet import pose_sheet, sample_poses
        from ..priors.registry import load_prior

        if not 1 <= self.n <= 100:
            raise ValueError(f"-n {self.n}: expected 1 to 100 poses")
        prior = load_prior(None if self.prior == "shipped" else self.prior)
        rotations, energies = sample_poses(prior, self.n, generator=torch.Generator().manual_seed(self.seed))
        pose_sheet(rotations, energies, self.out)
        print(f"energies, written above each: median {energies.median():.2f}, highest {energies.max():.2f}")
        print(f"{self.out}: {self.n} poses drawn from the {prior.name} prior")


@dataclass(frozen=True, kw_only=True)
class PriorsEvaluate:
    """Evaluate a prior on motions it was not trained on: does it tell real from spoiled poses, and does it improve a fit?

    First table: how often a real pose has a lower energy than a spoiled one (0.5 = guessing, 1 = always). Second table: bodies
    fitted to noisy joints, some of them hidden, without and with the prior; a prior that does not lower the error of hidden
    joints does not help reconstruction.
    """

    prior: Annotated[str, tyro.conf.Positional]
    """File of a prior, or `shipped` for the one that comes with the package."""
    store: Annotated[Path, tyro.conf.Positional]
    """Motion store; only what training on this store would hold out is used."""
    held_out: float = 0.1
    """Share of people or recordings held out; give the number that training was given."""
    clips: int = 6
    """Two-second clips to fit; 0 skips the second table."""
    weight: float = 10.0
    """Weight of the prior in the fit, against joints' and accelerations' negative log densities."""
    seed: int = 0
    """Seed of the noise and the choice of clips."""

    def run(self) -> None:
        import torch

        from ..priors.evaluate import corruption_rows, fit_rows
        from ..priors.joint_fit import JointFitConfig
        from ..priors.poses import pose_dataset
        from ..priors.registry import load_prior

        if self.clips < 0:
            raise ValueError(f"--clips {self.clips}: expected 0 or more")
        prior = load_prior(None if self.prior == "shipped" else self.prior)
        data = pose_dataset(self.store, held_out=self.held_out)
        generator = torch.Generator().manual_seed(self.seed)
        print(f"{'poses':<24}{'median energy':>14}{'real is lower':>15}")
        for name, median, share in corruption_rows(prior, data, generator=generator):
            print(f"{name:<24}{median:>14.2f}{'' if share is None else f'{share:.3f}':>15}", flush=True)
        if self.clips:
            config = JointFitConfig(weight=self.weight)
            print(f"\n{'joints, mean error':<32}{'no prior':>12}{prior.name:>12}")
            for name, without, helped in fit_rows(prior, data, clips=self.clips, config=config, generator=generator):
                print(f"{name:<32}{without * 100:>9.2f} cm{helped * 100:>9.2f} cm", flush=True)
        held = int(data.held_out.sum())
        print(f"\n{self.prior}: measured on {held} held-out motions of {self.store}")
