"""Measure a trained generator against its training motions, and write its model card."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..actions import ACTIONS
from ..files import write_atomic
from ..motion.features import motion_to_features
from .checkpoint import FILE_NAME, MotionGenerator
from .dataset import RestJoints, TrainingSet, default_rest_joints, split_rows
from .metrics import FLOATS, LOW_PELVIS, Figure, figures_of, train_evaluator
from .sample import STEPS, sample


def measure_generator(
    model: MotionGenerator,
    data: TrainingSet,
    *,
    seed: int,
    per_action: int = 16,
    rest_joints_of: RestJoints | None = None,
) -> dict[str, Any]:
    """Sample every action and compare with the training motions.

    Returns:
        ``made`` and ``real``: figures by name; and how they were measured (counts, seconds a clip).
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    rest_joints_of = rest_joints_of or default_rest_joints()
    train_rows, test_rows = split_rows(data, held_out=0.25, generator=generator)
    evaluator = train_evaluator(data, train_rows, generator=generator)
    actions = [action for action in model.actions for _ in range(per_action)]
    started = time.perf_counter()
    motions = sample(model, actions, generator=generator, rest_joints_of=rest_joints_of)
    seconds = time.perf_counter() - started
    made = [motion_to_features(motion, rest_joints_of(motion.betas))[0].float() for motion in motions]
    known, unseen = ([data.channels[row] for row in rows] for rows in (train_rows, test_rows))
    asked = np.array([data.actions.index(action) for action in actions])
    falls = {index for index, name in enumerate(data.actions) if name in ACTIONS and ACTIONS[name].is_fall}
    shown = data.conditions.action[test_rows].numpy()
    figures: dict[str, dict[str, Figure]] = {
        "made": figures_of(evaluator, made, asked, known, falls=falls, rng=rng),
        "real": figures_of(evaluator, unseen, shown, known, falls=falls, rng=rng),
    }
    found = evaluator(made)[1].argmax(-1).numpy()
    mistaken = Counter(
        (actions[k], data.actions[found[k]]) for k in range(len(actions)) if data.actions[found[k]] != actions[k]
    )
    return figures | {
        "sampled": len(motions),
        "seconds_a_clip": seconds / len(motions),
        "mean_length": float(np.mean([motion.seconds for motion in motions])),
        "mistaken": mistaken.most_common(5),
    }


_ROWS = {
    "accuracy": "recognition accuracy",
    "frechet": "Frechet distance to the evaluator's training motions",
    "diversity": "diversity",
    "multimodality": "multimodality",
    "coverage": "coverage of those training motions",
    "nearest": "distance to the nearest of them or its mirror image, m a joint, median",
    "foot_skate": "foot skate, m/s",
    "floor_penetration": "depth of the lowest joint below the floor, m",
    "float": f"frames in which no joint is lower than {FLOATS} m",
    "jitter": "mean jerk of the joints, m/s^3",
    "fall_speed": "falls: peak speed of the pelvis, m/s",
    "fall_acceleration": "falls: its peak acceleration, m/s^2",
    "fall_seconds": "falls: seconds from 90 to 10 % of its way down",
    "falls_end_low": f"falls that end with the pelvis below {LOW_PELVIS} m",
}


def write_card(
    model: MotionGenerator, data: TrainingSet, out: Path, figures: dict[str, Any], *, notes: Sequence[str] = ()
) -> None:
    """Write ``README.md`` beside the weights: data, training, figures, limits."""
    facts, size = model.facts, model.denoiser.config
    config, loss = facts.get("config", {}), facts.get("loss", {})
    per_action = Counter(data.actions[int(index)] for index in data.conditions.action)
    beside = f", beside them a path of single frames {size.fine} wide" if size.fine else ""
    parameters = sum(part.numel() for part in model.denoiser.parameters())
    lines = [
        "# Motion generator",
        "",
        f"`{FILE_NAME}`: a transformer of {parameters / 1e6:.1f} million parameters ({size.layers} layers, {size.width} wide,",
        f"{size.patch} frames a token{beside}), stored in half",
        "precision, that samples SMPL motions of up to 10 s at 20 frames/s for an action"
        + (", to a goal and a heading if they are given." if size.goals else "."),
        f"Denoising diffusion with x0-prediction, {size.diffusion_steps} noise levels (cosine schedule), "
        f"{'noise as smooth as motions are' if size.coloured else 'white noise'},",
        f"sampled with DPM-Solver++ in {STEPS} steps. Code and weights: Apache-2.0.",
        "",
        "## Data",
        f"{len(data)} motions, {sum(map(len, data.channels)) / 20 / 60:.0f} minutes: "
        + ", ".join(f"{action} {count}" for action, count in sorted(per_action.items()))
        + ".",
        f"Digest of the features: `{data.digest[:16]}`. Mirror images and trimmed copies are shown as often as the rest.",
        *notes,
        "",
        "## Training",
        f"{facts.get('steps')} steps of {config.get('batch')} motions, seed {config.get('seed')}, Muon (the "
        f"blocks' matrices) and AdamW at {config.get('rate')}, running average {config.get('average')}.",
        f"Loss = simple + {config.get('joints_weight')} joints (through forward kinematics, m^2)"
        f" + {config.get('velocity_weight')} velocities + {config.get('foot_weight')} speed of standing feet, (m/s)^2.",
    ]
    if loss:
        lines += ["At that step: " + ", ".join(f"{k} {v:.4f}" for k, v in loss.items() if k not in ("step", "seconds")) + "."]
    if figures:
        lines += [
            "",
            "## Figures",
            f"{figures['sampled']} samples, mean length {figures['mean_length']:.1f} s, "
            f"{figures['seconds_a_clip']:.2f} s a clip where this was measured. The evaluator (`metrics.py`) was trained "
            "on 75 % of the motions; *real* is the other 25 %. 95 % intervals over 20 resamplings.",
            "",
            "| | sampled | real |",
            "|---|---|---|",
        ]
        for name, title in _ROWS.items():
            if name in figures["made"] and name in figures["real"]:
                lines.append(f"| {title} | {figures['made'][name]} | {figures['real'][name]} |")
        if figures["mistaken"]:
            pairs = ", ".join(f"{asked} for {found} ({count})" for (asked, found), count in figures["mistaken"])
            lines += ["", f"Most often mistaken by the evaluator: {pairs}."]
    lines += [
        "",
        "## Limits",
        "It knows the vocabulary and the habits of its training motions, no more. It is meant for making training data, not",
        "for judging how people fall. One person, flat floor, one chair or bed.",
        "",
    ]
    write_atomic(out / "README.md", "\n".join(lines).encode())
