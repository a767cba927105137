"""The table of actions."""

from __future__ import annotations

import re

import numpy as np
import pytest

from augment.actions import (
    ACTIONS,
    DAILY,
    DOUBTFUL,
    FALLS,
    FRAME_LABELS,
    Action,
    caption_for,
    captions_of,
    did_you_mean,
    own_action,
    require_action,
)


def test_every_action_has_a_frame_label_and_a_caption_for_anyone():
    for name, action in ACTIONS.items():
        assert action.label in FRAME_LABELS, name
        caption = caption_for(captions_of(name), rng=np.random.default_rng(0), who="Somebody", side="left")
        assert "Somebody" in caption
        assert "{" not in caption


def test_of_two_people_the_one_who_comes_first_is_the_person_and_the_second_another():
    rng = np.random.default_rng(0)
    assert caption_for(["{who} pushes {other}."], rng=rng) == "A person pushes another person."
    assert caption_for(["{other} is pushed by {who}."], rng=rng) == "A person is pushed by another person."


def test_no_daily_action_is_a_fall():
    assert set(DAILY).isdisjoint(FALLS)


def test_unknown_action_lists_the_valid_ones():
    with pytest.raises(ValueError, match="fall_backward"):
        require_action("levitate")


def test_an_own_action_is_what_was_said_of_it():
    given = own_action("pull_at_drip", "drip pull", ["{who} pulls at the drip with the {side} hand."])
    assert given == Action(label="drip pull", captions=("{who} pulls at the drip with the {side} hand.",))
    said = caption_for(given.captions, rng=np.random.default_rng(0), who="Ann", side="left")
    assert said == "Ann pulls at the drip with the left hand."
    assert captions_of("pull_at_drip")[0].format(who="Ann") == "Ann performs the action pull at drip."


@pytest.mark.parametrize(
    ("name", "label", "caption", "message"),
    [
        ("pull drip", "other", "{who} pulls.", "action 'pull drip': expected letters"),
        ("pull.drip", "other", "{who} pulls.", "action 'pull.drip': expected letters"),
        ("pull", "", "{who} pulls.", "frame label '': expected a name"),
        ("pull", "a:b", "{who} pulls.", "frame label 'a:b'"),
        ("pull", "a;b", "{who} pulls.", "frame label 'a;b'"),
        ("pull", "7", "{who} pulls.", "frame label '7'"),
        ("pull", "other", "{name} pulls.", "no other placeholders than {who}, {other} and {side}"),
        ("pull", "other", "{who pulls.", "no other placeholders than {who}, {other} and {side}"),
        ("pull", "other", " ", "found an empty text"),
    ],
)
def test_a_malformed_name_label_or_caption_is_one_line(name: str, label: str, caption: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        own_action(name, label, [caption])
    assert "\n" not in str(caught.value)


def test_a_near_name_is_suggested_and_a_far_one_is_not():
    assert did_you_mean("fall_backwards", ACTIONS) == " (did you mean 'fall_backward'?)"
    assert did_you_mean("xyz", ACTIONS) == ""
    assert did_you_mean("wandering", FRAME_LABELS) != did_you_mean("wandering", FRAME_LABELS, least=DOUBTFUL) == ""
