"""The report says in words what was compared."""

from __future__ import annotations

import pytest

from recognition.report import rare_share, trained_on
from recognition.study import ARMS

WORDS = {
    "real": "17 real clips",
    "real_augmented": "17 real clips, with standard augmentation",
    "real_synthetic_mixed": "17 real clips and 108 synthetic clips, 50 % of the windows synthetic, with standard augmentation",
    "synthetic": "108 synthetic clips alone, with standard augmentation",
}


@pytest.mark.parametrize("name", WORDS)
def test_every_arm_is_told_by_the_clips_it_was_trained_on(name):
    arm = ARMS[name]
    counts = {"real": {"recordings": 17 * bool(arm.real)}, "synthetic": {"recordings": 108 * bool(arm.synthetic)}}
    assert trained_on(arm.model_dump(), {"data": {"training": {name: counts}}}) == WORDS[name]


def test_an_arm_that_leaves_out_real_windows_says_so():
    counts = {"real": {"recordings": 1}, "synthetic": {"recordings": 2}}
    words = trained_on(ARMS["real_synthetic"].model_dump(), {"data": {"training": {"real_synthetic": counts}}})
    assert "left out" in words


def test_chance_of_the_rare_class_is_its_share_of_the_test_windows():
    result = {
        "runs": [{"truth": [0, 1, 2, 1, 0]}],
        "study": {"classes": {"walk": [], "fall": [], "sit": []}, "rare_class": "fall"},
    }
    assert rare_share(result) == pytest.approx(2 / 5)
