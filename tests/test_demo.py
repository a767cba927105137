"""What the demo says of its clips is true of its recipes."""

from __future__ import annotations

import pytest

from augment.demo import NOTE, ROOMS, standin_recipe, study_settings, synthetic_recipe, write_yaml
from augment.generate.recipe import load_recipe
from recognition.study_file import load_study


@pytest.fixture
def recipes(tmp_path):
    """Of the synthetic clips and of their stand-ins for real ones, as the command reads them."""
    made = {
        "synthetic": synthetic_recipe(seed=0, falls=2, daily=1),
        "real": standin_recipe("real", rooms=range(101, 103), seed=1, falls=1, daily=2),
    }
    return {
        name: load_recipe(write_yaml(tmp_path / f"{name}.yaml", recipe, "augment generate")) for name, recipe in made.items()
    }


def test_stand_ins_have_other_rooms_and_motions_than_the_synthetic_clips(recipes):
    synthetic, real = recipes["synthetic"], recipes["real"]
    assert {clip.source for clip in synthetic.clips}.isdisjoint({clip.source for clip in real.clips})
    assert {clip.action for clip in synthetic.clips} == {clip.action for clip in real.clips}
    assert real.film.height < synthetic.film.height
    assert sum(scene.rooms or 0 for scene in synthetic.scenes) == ROOMS


def test_the_study_is_one_that_the_command_takes_and_counts_its_clips(tmp_path):
    note = NOTE.format(synthetic=120, rooms=ROOMS, real=17, test=49)
    study = load_study(write_yaml(tmp_path / "study.yaml", study_settings(steps=3, seeds=5, note=note), "recognition ablate"))
    assert {name: one.steps for name, one in study.each_input().items()} == {"keypoints": 3, "person": 1}
    assert study.seeds == [0, 1, 2, 3, 4]
    assert "120 clips" in study.note
    assert study.show_clips == "synthetic"
    assert {arm.name for arm in study.arms} >= {study.baseline_arm, "real_synthetic"}
