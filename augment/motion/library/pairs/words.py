"""What is said of two people, by what they do and how: several wordings each, of which one is drawn."""

from __future__ import annotations

from .duo import PairManner

CAPTIONS: dict[str, tuple[str, ...]] = {
    "hand_over": (
        "{who} hands something to {other}.", "{who} gives {other} something with the {side} hand.",
        "{other} takes something from {who}.", "{who} holds out the {side} hand and {other} takes what is in it.",
        "{who} passes a small thing to {other}.",
    ),
    "hand_over walks": (
        "{other} walks up to {who} and is handed something.", "{other} comes closer and takes something from {who}.",
        "{who} waits for {other} and hands something over.",
    ),
    "shake_hands": (
        "{who} and {other} shake hands.", "Two people greet each other with a handshake.",
        "{who} shakes {other_s} hand.", "{who} and {other} stand face to face and shake hands.",
    ),
    "shake_hands walks": (
        "{other} walks up to {who} and they shake hands.", "{other} comes closer and shakes hands with {who}.",
    ),
    "walk_supported waist": (
        "{other} walks beside {who} with an arm round the waist.", "{who} walks, held round the waist from the {side}.",
        "{other} supports {who} with a hand at the back while they walk{slowly}.",
        "{who} is led{slowly} through the room, an arm round the back.",
    ),
    "walk_supported hand": (
        "{who} walks{slowly} on the hand of {other}.", "{other} walks beside {who} and holds the {side} hand.",
        "{who} and {other} walk hand in hand.", "{other} leads {who} by the {side} hand.",
    ),
    "walk_supported arm": (
        "{other} walks beside {who} and holds the {side} arm.", "{who} walks{slowly}, held by the {side} arm.",
        "{other} supports {who} by the arm while they walk{slowly}.",
    ),
    "help_up_from_chair both": (
        "{other} helps {who} up from a chair by both hands.", "{who} stands up from a chair, pulled by both hands.",
        "{other} draws {who} up from a seat.", "{who} takes {other_s} hands and rises from a chair.",
    ),
    "help_up_from_chair one": (
        "{other} gives {who} a hand to stand up from a chair.", "{who} takes {other_s} hand and rises from a chair.",
        "{other} pulls {who} up from a chair by the {side} hand.",
    ),
    "help_up_from_floor both": (
        "{other} helps {who} up from the floor by both hands.", "{who} lies on the floor, sits up and is pulled to the feet.",
        "{other} bends down and pulls {who} up.", "{who} gets up from the floor with the help of {other}.",
    ),
    "help_up_from_floor one": (
        "{other} gives {who} a hand to get up from the floor.", "{who} gets up from the floor, pulled by the {side} hand.",
        "{other} pulls {who} up from the floor by one hand.",
    ),
    "catch_faller": (
        "{who} falls backward and is caught by {other}.", "{other} catches {who} under the arms and lowers them to the floor.",
        "{who} loses balance; {other} stands behind and breaks the fall.", "{who} sinks backward into {other_s} arms.",
    ),
    "push front": (
        "{other} pushes {who} over backward.", "{who} is pushed in the chest and falls on the back.",
        "{other} shoves {who}, who falls backward.",
    ),
    "push behind": (
        "{other} pushes {who} from behind, who falls forward.", "{who} is pushed in the back and falls onto the hands.",
        "{other} shoves {who} over from behind.",
    ),
    "push side": (
        "{other} pushes {who} over to the {side}.", "{who} is pushed from the side and falls to the {side}.",
        "{other} shoves {who}, who falls to the {side}.",
    ),
}  # fmt: skip
"""By the action, or the action and a word of its manner; as in ``actions.Action``, with ``{other_s}`` and ``{slowly}``."""

SLOW = 0.6
"""Metres a second below which a walk of two is called slow."""


def wordings(name: str, manner: PairManner) -> tuple[str, ...]:
    """The sentences that fit an action performed in a manner."""
    words = [getattr(manner, field, None) for field in ("hold", "hands", "where")]
    word = next((word for word in words if isinstance(word, str)), "walks" if getattr(manner, "walks", False) else "")
    slow = getattr(manner.first, "speed", 1.0) < SLOW
    sentences = CAPTIONS.get(f"{name} {word}", CAPTIONS.get(name, ()))
    return tuple(each.replace("{slowly}", " slowly" if slow else "").replace("{other_s}", "{other}'s") for each in sentences)
