"""What is said of a scripted action, by how it is done: several wordings each, of which one is drawn."""

from __future__ import annotations

from .manner import Manner

CAPTIONS: dict[str, tuple[str, ...]] = {
    "walk": ("{who} walks{how} through the room.", "{who} is walking{how}.", "{who} crosses the room{how}."),
    "walk turn": (
        "{who} walks{how} and turns to the {side}.", "{who} walks{how} in a curve to the {side}.",
        "{who} turns {side} while walking{how}.",
    ),
    "walk starts": (
        "{who} stands and then walks off{how}.", "{who} starts to walk{how}.", "{who} sets off{how} across the floor.",
    ),
    "walk stops": (
        "{who} walks{how} and stops.", "{who} comes walking{how} and stands still.", "{who} walks a few steps{how} and halts.",
    ),
    "stand": ("{who} stands still.", "{who} stands and shifts weight.", "{who} is standing.", "{who} stands and looks around."),
    "stand hips": ("{who} stands with the hands on the hips.", "{who} stands, hands at the waist."),
    "stand clasp": ("{who} stands with the hands clasped in front.", "{who} stands, hands folded before the belly."),
    "stand behind": ("{who} stands with the hands behind the back.", "{who} stands and holds the hands behind the back."),
    "sit_down": (
        "{who} sits down{how} on a chair.", "{who} takes a seat{how} on a chair.", "{who} lowers the body{how} onto a chair.",
        "{who} stands before a chair and sits down{how}.",
    ),
    "sit": ("{who} sits on a chair.", "{who} is seated on a chair and moves a little.", "{who} sits still on a chair."),
    "sit face": ("{who} sits on a chair and touches the face.", "{who} sits on a chair, the {side} hand at the face."),
    "sit talk": ("{who} sits on a chair and gestures with the {side} hand.", "{who} sits on a chair and talks with one hand."),
    "sit bend": ("{who} sits on a chair, bends forward and comes back.", "{who} leans forward on a chair for a moment."),
    "stand_up": (
        "{who} stands up{how} from a chair.", "{who} gets up{how} from a chair.", "{who} rises{how} from a chair.",
        "{who} sits on a chair and stands up{how}.",
    ),
    "lie_down": (
        "{who} lies down{how} on a bed.", "{who} sits down on a bed and lies back{how}.", "{who} goes to bed{how}.",
    ),
    "lie": ("{who} lies on a bed.", "{who} is lying on a bed.", "{who} rests on a bed.", "{who} lies in bed."),
    "lie side": ("{who} lies on the {side} side in bed.", "{who} rests on a bed, on the {side} side."),
    "lie roll": ("{who} lies on a bed and turns over.", "{who} rolls over in bed."),
    "lie floor": ("{who} is lying on the floor.", "{who} lies on the floor.", "{who} rests on the floor."),
    "get_up": (
        "{who} gets up{how} from a bed.", "{who} sits up{how} on the bed and stands up.", "{who} gets out of bed{how}.",
    ),
    "get_up roll": (
        "{who} gets up{how} from the floor.", "{who} rolls to the {side}, kneels and gets up{how} from the floor.",
        "{who} rises{how} from the floor over hands and knees.",
    ),
    "get_up sit": (
        "{who} gets up{how} from the floor.", "{who} lies on the floor, sits up and stands{how}.",
        "{who} sits up on the floor, pulls the feet in and stands up{how}.",
    ),
    "pick_up": (
        "{who} picks something up{how} from the floor.", "{who} bends down{how} and picks something up with the {side} hand.",
        "{who} lifts a small thing from the floor.",
    ),
    "wave": ("{who} waves the {side} hand.", "{who} lifts the {side} arm and waves.", "{who} waves to us.", "{who} waves."),
    "reach": (
        "{who} reaches for something high with the {side} hand.", "{who} stretches the {side} arm up.", "{who} reaches up.",
    ),
    "reach both": ("{who} reaches up with both hands.", "{who} stretches both arms up for something high."),
    "jump": ("{who} jumps on the spot.", "{who} jumps up and lands.", "{who} hops on the spot.", "{who} leaps into the air."),
    "kneel": ("{who} kneels down{how} on the floor.", "{who} goes down{how} on the knees.", "{who} kneels on the floor."),
    "crawl": ("{who} crawls{how} on hands and knees.", "{who} crawls{how} over the floor.", "{who} moves{how} on all fours."),
}  # fmt: skip
"""By the action, or the action and a word of its manner; as in ``actions.Action``, with ``{how}``."""

WALKS = ((0.65, (" slowly", " with slow steps")), (1.15, ("", " at an easy pace")), (9.0, (" quickly", " at a brisk pace")))
"""Up to which speed, metres a second, a walk is said to be so."""
TIME_OF_THE_OLD = 0.55
"""From which ``Manner.old`` on a movement is said to be slow."""


def wordings(name: str, manner: Manner) -> tuple[str, ...]:
    """The sentences that fit an action performed in a manner."""
    words = [word for word in _words(name, manner) if f"{name} {word}" in CAPTIONS]
    sentences = CAPTIONS[f"{name} {words[0]}" if words else name]
    return tuple(each.replace("{how}", how) for each in sentences for how in (_how(manner) if "{how}" in each else ("",)))


def _words(name: str, manner: Manner) -> list[str]:
    """What is special about a manner, the most special first."""
    special = []
    if name == "walk":
        if getattr(manner, "path", "") in ("arc", "corner"):
            special.append("turn")
        special += [word for word in ("starts", "stops") if getattr(manner, word)]
    if name == "lie" and not getattr(manner, "bed", 1.0):
        special.append("floor")
    if getattr(manner, "both", False):
        special.append("both")
    drawn = [getattr(manner, field, None) for field in ("arms", "gesture", "change", "pose", "way")]
    return special + [word for word in drawn if isinstance(word, str)]


def _how(manner: Manner) -> tuple[str, ...]:
    """Ways to say how fast it is."""
    speed = getattr(manner, "speed", None)
    if speed is not None:
        return next(words for most, words in WALKS if speed <= most)
    return ("", " slowly") if manner.old > TIME_OF_THE_OLD else ("",)
