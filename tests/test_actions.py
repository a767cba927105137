"""The table of actions."""

from __future__ import annotations

import numpy as np
import pytest

from augment.actions import ACTIONS, DAILY, FALLS, FRAME_LABELS, caption_for, require_action


def test_every_action_has_a_frame_label_and_a_caption_for_anyone():
    for name, action in ACTIONS.items():
        assert action.label in FRAME_LABELS, name
        caption = caption_for(name, rng=np.random.default_rng(0), who="Somebody", side="left")
        assert caption.startswith("Somebody")
        assert "{" not in caption


def test_no_daily_action_is_a_fall():
    assert set(DAILY).isdisjoint(FALLS)


def test_unknown_action_lists_the_valid_ones():
    with pytest.raises(ValueError, match="fall_backward"):
        require_action("levitate")
