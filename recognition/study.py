"""A study as data: what STUDY.yaml may say, checked before anything is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from augment.actions import did_you_mean, require_label
from augment.remote import is_url

from .input_settings import ChosenInput, InputSettings, Strict, require_network, with_inputs
from .label_maps import with_classes


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _paths_or_urls(value: Any) -> Any:
    return [Path(one.removeprefix("file://")) if isinstance(one, str) and not is_url(one) else one for one in _as_list(value)]


def _labels(value: Any) -> Any:
    return [] if value is None else _as_list(value)


class Source(Strict):
    """Clips from one place: a CSV of real videos, or folders (or tars) of shards."""

    csv: Path | None = None
    """Table of real videos with columns video, fps, frames, segments and whatever ``where`` and ``group_by`` name."""
    shards: Annotated[tuple[Path | str, ...], BeforeValidator(_paths_or_urls)] = ()
    """Folders with ``manifest.json``, or single ``.tar`` files; one or several. URLs, such as ``https://host/shards/`` or
    ``s3://bucket/clips-{000000..000009}.tar``, are read through once for the labels; of clips that are drawn, then, as many
    bytes as they have."""
    plate: Path | None = None
    """Picture of the empty room, of the videos' size, for rows without a column `plate`. Where it is transparent, people are
    not looked for. CSV only."""
    where: dict[str, Annotated[list[Any], BeforeValidator(_as_list)]] = Field(default_factory=dict)
    """Column to value(s): only rows that match all of them are used. CSV only."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        if isinstance(value, str | Path):
            return {"csv" if str(value).endswith(".csv") else "shards": value}
        return {"shards": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Source:
        if (self.csv is None) == (not self.shards):
            raise ValueError("give either `csv` or `shards`")
        if self.shards and self.where:
            raise ValueError("`where` selects rows of a CSV; shards have no columns")
        if self.shards and self.plate:
            raise ValueError("`plate` is of one camera's videos in a CSV; samples of shards find their own")
        return self


class Arm(Strict):
    """One way to train: which clips, and what is done to them."""

    name: str
    real: bool | Source = True
    """The study's real clips, none, or the arm's own selection (an oracle that saw the new camera, say)."""
    synthetic: bool | Source = False
    """The study's synthetic clips, none, or the arm's own."""
    augment: bool = False
    """Standard augmentation: random crop, mirroring, brightness, contrast, saturation, hue, the same for a window's frames."""
    synthetic_share: float = Field(default=0.5, gt=0, lt=1)
    """Chance that a window comes from a synthetic clip, where its class has both kinds."""
    check_labels: bool = False
    """Synthetic clips alone in the first half of the updates, then both; from then on real windows whose label the network of
    the first half finds impossible are left out, but for those of the rare class and of classes that only real clips show
    (``label_check``)."""
    real_events: int | None = Field(default=None, ge=0)
    """Only so many of its real recordings with the rare class, drawn by the seed; a smaller set is part of a larger one."""
    films: int | None = Field(default=None, ge=0)
    """The same of its synthetic clips with the rare class."""
    smaller: str = ""
    """The arm of which this is a smaller version, made by ``few`` or ``films``: shown in a curve, without a verdict."""
    reference: bool = False
    """Shown beside the others, but no verdict is given on it: an upper bound, say."""

    @property
    def mixes(self) -> bool:
        """Whether it uses real and synthetic clips."""
        return self.real is not False and self.synthetic is not False

    @model_validator(mode="after")
    def _has_clips(self) -> Arm:
        if self.real is False and self.synthetic is False:
            raise ValueError(f"arm {self.name!r} has neither real nor synthetic clips")
        if self.check_labels and not self.mixes:
            raise ValueError(f"arm {self.name!r}: check_labels needs real and synthetic clips")
        if not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"arm {self.name!r}: its name becomes a file's name; use letters, digits, '_' and '-'")
        return self


ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(name="real"),
        Arm(name="real_augmented", augment=True),
        Arm(name="real_synthetic", synthetic=True, augment=True, check_labels=True),
        Arm(name="real_synthetic_mixed", synthetic=True, augment=True),
        Arm(name="synthetic", real=False, synthetic=True, augment=True),
    )
}
"""Arms a study may ask for by name; any other is written out as a mapping."""

DEFAULT_ARMS = ("real", "real_augmented", "real_synthetic", "synthetic")


HARD_NEGATIVES = (
    "lying", "lie_down", "kneeling", "kneel_down", "squatting", "squat_down", "crawl", "sit_down", "pick_up", "picking_up",
    "exercise", "sitting_on_floor",
)  # fmt: skip
"""What a study shows as hard negatives by default."""


def _known_arm(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ARMS:
            raise ValueError(
                f"unknown arm {value!r}{did_you_mean(value, ARMS)}; expected one of: {', '.join(ARMS)}, or a mapping"
            )
        return ARMS[value]
    return value


class Study(InputSettings):
    """Everything that decides a result. Paths are relative to the file's folder."""

    name: str = "study"
    note: str = ""
    """Shown at the top of the report: what a reader must know about the clips."""
    labels: str | None = None
    """A ready list of classes: a key of ``label_maps.LABEL_MAPS``; ``classes`` adds to it and changes it."""
    classes: dict[str, Annotated[list[str], BeforeValidator(_labels)]]
    """Class name to the frame labels it gathers (OmniFall's, or your own), in the order of the confusion matrix."""
    rare_class: str = "fall"
    """The class whose average precision and false alarms are reported."""
    window_sec: float = Field(2.0, gt=0)
    """Length of what the classifier sees, seconds."""
    input: str = "rgb"
    """What the classifier looks at: a key of ``inputs.kinds.INPUTS``, or a list of keys and mappings (``kind`` and settings of
    its own); each is then trained, tested and reported, and the mean of their probabilities beside them. It decides the
    defaults of model, frames, size, steps, batch and lr."""
    inputs: tuple[ChosenInput, ...] = ()
    """All inputs where ``input`` lists several (filled from there); ``input`` is then the first."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the network; weights stay float32. ``auto``: bfloat16 where the processor has it in hardware."""
    seeds: list[int] = Field([0, 1, 2], min_length=1)
    arms: list[Annotated[Arm, BeforeValidator(_known_arm)]] = Field(default_factory=lambda: [ARMS[a] for a in DEFAULT_ARMS])
    baseline: str = "real"
    """The arm that the others are compared with."""
    real: Source | None = None
    synthetic: Source | None = None
    test: Source
    group_by: list[str] = Field(default_factory=list)
    """Columns that together name one real event or person; no such group may be in training and test. Empty: the video file."""
    validation: Source | None = None
    """Clips to set temperature and alarm threshold on; neither trained nor tested on. By default some are held out."""
    held_out: float = Field(0.1, ge=0, le=0.5)
    """Share of the training events held out for that, where there is no ``validation``: of the real ones, else (if these are
    few) of the synthetic ones; the same for every arm. 0: none."""
    alarm_windows: int = Field(2, ge=1)
    """Windows in a row, half a second apart, in which the rare class must reach the threshold to raise an alarm."""
    alarm_release: float = Field(0.6, gt=0, le=1)
    """The alarm ends where the probability falls below this share of the threshold."""
    alarm_recall: float = Field(0.9, gt=0, le=1)
    """Share of the held-out events that the alarm threshold finds."""
    hard_negatives: list[str] = Field(default_factory=lambda: list(HARD_NEGATIVES))
    """Frame labels, or values of the column ``action``, that are easily taken for the rare class: shown apart where tested."""
    shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=list)
    """Shares of synthetic windows to try: each arm that mixes real and synthetic clips is made once with each."""
    few: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)
    """Numbers of real recordings with the rare class to try, such as 0, 1, 2, 4, 8: the baseline and each arm that mixes real
    and synthetic clips are also trained with so few."""
    films: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)
    """Numbers of synthetic clips with the rare class to try, beside the fewest real recordings of ``few``: how many real
    recordings are they worth?"""
    keep_gb: float | None = Field(None, ge=0)
    """Disk for decoded clips while the study runs, 1e9 bytes; the clips that find no room are decoded whenever one of their
    windows is drawn, so that shards may be larger than the disk. None: all are kept. It changes no result."""
    max_bad_share: float = Field(0.05, ge=0, lt=1)
    """Videos that cannot be read are counted and left out, up to this share of all; beyond it the study stops."""
    show_clips: Literal["synthetic", "all", "none"] = "synthetic"
    """Clips that the report plays: ``synthetic``, of real ones at most drawn keypoints; ``all``, real footage too; ``none``."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any) -> Any:
        return with_inputs(with_classes(data)) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _known_models(self) -> Study:
        for study in self.each_input().values():
            require_network(study.input, study)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        seen: dict[str, str] = {}
        for name, labels in self.classes.items():
            for label in labels:
                try:
                    require_label(label)
                except ValueError as error:
                    raise ValueError(f"class {name!r}: {error}") from error
                if label in seen:
                    raise ValueError(f"frame label {label!r} is in two classes, {seen[label]!r} and {name!r}")
                seen[label] = name
        if empty := [name for name, labels in self.classes.items() if not labels]:
            raise ValueError(f"classes: class {empty[0]!r} gathers no frame labels; name some, or leave the class out")
        if len(self.classes) < 2:
            raise ValueError(f"classes: a study needs two at least, found {len(self.classes)}")
        if self.rare_class not in self.classes:
            raise ValueError(f"rare_class {self.rare_class!r} is not a class; expected one of: {', '.join(self.classes)}")
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names) or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("arms and seeds must not repeat")
        if not names:
            raise ValueError("a study needs one arm at least")
        if "baseline" in self.model_fields_set and self.baseline not in names:
            hint = did_you_mean(self.baseline, names)
            raise ValueError(f"baseline {self.baseline!r} is not an arm of the study{hint}; it has: {', '.join(names)}")
        for arm in self.arms:
            for kind in ("real", "synthetic"):
                if getattr(arm, kind) is True and getattr(self, kind) is None:
                    raise ValueError(f"arm {arm.name!r} uses {kind} clips, but the study has no `{kind}`")
        return self

    def each_input(self) -> dict[str, Study]:
        """The study with one input alone, for each of its inputs by name."""
        if not self.inputs:
            return {self.input: self}
        return {
            one.name: self.model_copy(update={**one.model_dump(exclude={"kind", "name"}), "input": one.kind, "inputs": ()})
            for one in self.inputs
        }

    def source(self, arm: Arm, kind: Literal["real", "synthetic"]) -> Source | None:
        """Where an arm's clips of a kind come from, if it has any."""
        chosen = getattr(arm, kind)
        if isinstance(chosen, Source):
            return chosen
        return getattr(self, kind) if chosen else None

    def smaller_arms(self) -> list[Arm]:
        """The arms, one for each of ``shares``, and the smaller versions that ``few`` and ``films`` ask for.

        Raises:
            ValueError: If these have nothing to work on.
        """
        arms: list[Arm] = []
        for arm in self.arms:
            tried = self.shares if arm.mixes else []
            made = [arm.model_copy(update={"name": f"{arm.name}_{100 * x:g}", "synthetic_share": x}) for x in tried]
            arms += made or [arm]
        mixed = [arm for arm in arms if arm.mixes]
        if (self.shares or self.films) and not mixed:
            raise ValueError("`shares` and `films` need an arm that uses real and synthetic clips, such as real_synthetic")
        if self.films and not self.few:
            raise ValueError("`films` needs `few`: the real recordings that films are measured by")
        base = next(arm for arm in arms if arm.name == self.baseline_arm)
        if self.few and base.real is False:
            raise ValueError(f"`few` takes real recordings away, but the baseline {base.name!r} uses none; name another")
        smaller = [
            arm.model_copy(update={"name": f"{arm.name}_few{count}", "real_events": count, "smaller": arm.name})
            for count in sorted(set(self.few))
            for arm in [base, *(arm for arm in mixed if arm is not base)]
        ]
        smaller += [
            arm.model_copy(
                update={"name": f"{arm.name}_films{count}", "real_events": min(self.few), "films": count, "smaller": arm.name}
            )
            for count in sorted(set(self.films))
            for arm in mixed
        ]
        return [*arms, *(arm.model_copy(update={"reference": False}) for arm in smaller)]

    @property
    def baseline_arm(self) -> str:
        """``baseline`` where the study has such an arm, else the first arm."""
        names = [arm.name for arm in self.arms]
        return self.baseline if self.baseline in names else names[0]
