"""Find training clips that show, or were made from, what is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .recordings import Recording

VIDEO_ENDINGS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")


def named_sources(provenance: Any, *, inside: bool = False) -> set[str]:
    """Everything in a provenance that may name a real recording.

    That is: every text under ``recordings`` (group ids, names or digests), every name of a video file, every SHA-256 digest.

    Args:
        provenance: JSON values.
        inside: Whether they stand under ``recordings``.
    """
    if isinstance(provenance, Mapping):
        return set().union(*(named_sources(value, inside=inside or key == "recordings") for key, value in provenance.items()))
    if isinstance(provenance, list | tuple):
        return set().union(*(named_sources(value, inside=inside) for value in provenance))
    if not isinstance(provenance, str):
        return set()
    if _is_video(provenance):
        return {provenance, Path(provenance).name}
    is_digest = len(provenance) == 64 and set(provenance) <= set("0123456789abcdef")
    return {provenance} if inside or is_digest else set()


def declares_sources(provenance: Any) -> bool:
    """Whether a provenance has the key ``recordings`` at any depth."""
    if isinstance(provenance, Mapping):
        return "recordings" in provenance or any(map(declares_sources, provenance.values()))
    return isinstance(provenance, list | tuple) and any(map(declares_sources, provenance))


def has_unknown_sources(recording: Recording) -> bool:
    """Whether a synthetic clip's provenance neither lists its recordings nor names a video."""
    return not recording.declares_sources and not any(map(_is_video, recording.sources))


def _is_video(name: str) -> bool:
    return name.lower().endswith(VIDEO_ENDINGS)


def refuse_leaks(
    train: Sequence[Recording], test: Sequence[Recording], *, arm: str, sides: tuple[str, str] = ("training", "test")
) -> None:
    """Refuse training clips that show, or were made from, what is tested on.

    Args:
        train: One side's recordings.
        test: The other's, which must not be known on the first.
        arm: Whose they are, for the message.
        sides: What the two are called in the message.
    Raises:
        ValueError: Naming the shared groups, or the synthetic clips and the test recordings they come from, and what to do.
    """
    shared = sorted({recording.group for recording in train} & {recording.group for recording in test})
    if shared:
        raise ValueError(
            f"arm {arm!r} leaks: {len(shared)} group(s) are in {sides[0]} and {sides[1]}: {_first(shared)}; "
            "change `where` so that each is on one side only (two cameras that film one event are one "
            "group), or add the column to `group_by` that tells them apart"
        )
    digests = {recording.digest(): recording.name for recording in test}
    digests.pop("", None)
    for recording in train:
        if twin := digests.get(recording.digest()):
            raise ValueError(f"arm {arm!r} leaks: {recording.name} is the same video as {twin} in {sides[1]}; remove one")
    if not any(recording.sources for recording in train):
        return
    known = {alias: recording.name for recording in test for alias in _aliases(recording)}
    leaked = sorted({(source, recording.name) for recording in train for source in recording.sources & known.keys()})
    if leaked:
        clips = sorted({name for _, name in leaked})
        raise ValueError(
            f"arm {arm!r} leaks: {len(clips)} synthetic clip(s), such as {clips[0]}, were made from {sides[1]} recording(s) "
            f"{_first(sorted({known[source] for source, _ in leaked}))}; make them from other recordings, or test on others"
        )


def _aliases(recording: Recording) -> set[str]:
    """Everything by which a provenance may name a real recording."""
    return {recording.group, recording.name, Path(recording.name).name, recording.digest()} - {""}


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
