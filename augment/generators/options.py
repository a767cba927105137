"""Options of the training of a generator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Options of training; the number of steps is not one of them, so that a run may be prolonged."""

    seed: int = 0
    batch: int = 32
    rate: float = 2e-3
    """Peak learning rate: reached after ``warmup`` steps, kept up to step ``hold``, then decaying with 1 / sqrt(step)."""
    warmup: int = 100
    hold: int = 500
    weight_decay: float = 0.01
    ends: int = 0
    """Step at which the rate has fallen to zero, linearly from ``hold`` on; 0: it decays as above and never ends."""
    average: float = 0.998
    """Decay of the running average of the weights, which is the result."""
    diffusion_steps: int = 50
    drop_action: float = 0.1
    """Chance of training without the action, for classifier-free guidance."""
    drop_others: float = 0.1
    """Chance of training without the support, and without the body shape."""
    drop_goal: float = 0.5
    """Chance of training without the goal, and without the heading at the end: most motions are sampled without."""
    held_out: float = 0.1
    """Share of each action's motions kept for validation."""
    validate_every: int = 500
    """Steps between validations."""
    patience: int = 6
    """Training ends after so many validations without a better one."""
    joints_weight: float = 5.0
    """Weight of the joints' error through forward kinematics, per square metre."""
    velocity_weight: float = 0.2
    """Weight of the same joints' velocity error, per (m/s)^2."""
    foot_weight: float = 0.2
    """Weight of the speed of standing feet, per (m/s)^2."""
    window: int = 24
    """Frames of each example that the three losses above are computed on, to save time."""
    width: int = 256
    layers: int = 5
    heads: int = 4
    overlap: int = 2
    """See ``DenoiserConfig``."""
    fine: int = 192
    """Width of the path of single frames, see ``DenoiserConfig``."""
    copies_below: float = 0.1
    """See ``DenoiserConfig``."""
    coloured: bool = True
    """See ``DenoiserConfig``."""
    mirror: bool = True
    """Mirror each motion with chance 1/2."""
    trim: float = 0.25
    """Chance of cutting up to 15 % off either end."""
    mixed: bool = True
    """Matrix products in bfloat16."""

    def __post_init__(self) -> None:
        if self.ends and self.ends <= self.hold:
            raise ValueError(f"ends must be 0 or more than {self.hold}, up to which the rate is kept, found {self.ends}")
