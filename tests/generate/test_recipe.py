"""Laws of recipes: faults are named with what is valid; the plan is whole, fair, and the same for the same seed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from augment.actions import ACTIONS, Action
from augment.generate.recipe import Recipe, load_recipe, make_plan, recipe_digest, scene_cameras, scene_names
from augment.seeds import clip_rng

GOOD = """
name: care
seed: 3
scenes:
  - rooms: 2
  - path: scenes/bedroom
clips:
  - {action: fall_backward, count: 5, from: physics}
  - {action: walk, count: 4}
  - {action: walk, count: 2, from: store, path: motions}
film: {height: 64, fps: 10}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_egl_where_there_is_none_is_refused_in_one_line_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import sys

    from augment.cli import main

    path = write(tmp_path, GOOD.replace("film: {", "film: {rasterizer: pyrender, "))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyrender", None)
        for options in (["--dry-run"], []):
            with pytest.raises(SystemExit):
                main(["generate", str(path), "--out", str(tmp_path / "out"), *options])
            message = capsys.readouterr().err
            assert message.count("\n") == 1
            assert f"error: {path}: film.rasterizer: EGL does not work here" in message
            assert "use rasterizer: compiled" in message
    assert not (tmp_path / "out").exists()


def test_paths_are_relative_to_the_recipe(tmp_path: Path):
    recipe = load_recipe(write(tmp_path, GOOD))
    assert recipe.scenes[1].path == tmp_path.resolve() / "scenes/bedroom"
    assert recipe.clips[2].path == tmp_path.resolve() / "motions"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("film: {height: 64, fps: 10}", "film: {hight: 64}", r"film.hight: unknown key; did you mean 'height'\?"),
        ("film:", "flim:", r"flim: unknown key; did you mean 'film'\?"),
        ("count: 5, from: physics", "count: 5, form: physics", r"clips\[0\].form: unknown key; did you mean 'from'\?"),
        (
            "fall_backward",
            "fall_backwards",
            r"clips\[0\]: from: physics .* 'fall_backwards' \(did you mean 'fall_backward'\?\)",
        ),
        (
            "walk, count: 4",
            "wlak, count: 4",
            r"clips\[1\].action: 'wlak' is unknown \(did you mean 'walk'\?\); expected .* walk, ",
        ),
        ("walk, count: 4", "no.dots, count: 4", r"clips\[1\].action: action 'no.dots': expected letters"),
        (
            "from: physics",
            "from: phisics",
            r"clips\[0\]: from: .*'phisics' \(did you mean 'physics'\?\); .*library, physics, .*bvh",
        ),
        (
            "walk, count: 4",
            "walk, prop: wlaker",
            r"clips\[1\].prop: unknown prop 'wlaker' \(did you mean 'walker'\?\)",
        ),
        ("walk, count: 4", "walk, prop: wheelchair", r"clips\[1\]: prop: wheelchair has no place in 'walk'; it fits: sit, "),
        ("from: physics", "from: physics, prop: wheelchair", r"clips\[0\]: prop: wheelchair has no place in 'fall_backward'"),
        ("from: physics", "from: a.bvh, path: b", r"clips\[0\]: from: a.bvh is a motion file; leave out path"),
        ("from: physics", "from: file", r"clips\[0\]: from: file needs path"),
        ("from: physics", "support: bed", r"clips\[0\]: support is for motion files"),
        ("from: physics", "from: a.bvh, support: sofa", r"clips\[0\].support: .*'auto', 'floor', 'chair' or 'bed'"),
        ("clips:", "actions: {wander: }\nclips:", "actions.wander: an action needs a frame label, .*: walk, fall"),
        ("clips:", "actions: {wander: {captions: x}}\nclips:", "actions.wander: an action needs a frame label"),
        ("clips:", "actions: {wander: {lable: a, label: b}}\nclips:", r"wander.lable: unknown key; did you mean 'label'\?"),
        ("clips:", "actions: {wander: 'a:b'}\nclips:", "actions.wander.label: frame label 'a:b'"),
        ("clips:", "actions: {a b: other}\nclips:", "actions.a b: action 'a b': expected letters"),
        (
            "clips:",
            "actions: {fly: {label: a, captions: '{x}'}}\nclips:",
            r"actions.fly.captions\[0\]: caption '{x}': expected no",
        ),
        ("clips:", "actions: {wakl: walk}\nclips:", r"actions.wakl: no clip shows it \(did you mean 'walk'\?\)"),
        ("{action: walk, count: 4}", "{action: walk, count: 4, from: physics}", r"clips\[1\]: from: physics makes falls only"),
        (", path: motions", "", r"clips\[2\]: from: store needs path"),
        ("count: 5", "count: 0", r"clips\[0\].count: .*greater than or equal to 1"),
        ("- rooms: 2", "- {rooms: 2, room: 1}", r"scenes\[0\]: expected exactly one of room, rooms, path"),
        ("name: care", "name: care.home", "name: expected letters, digits"),
        ("seed: 3", "people: {height_m: [1.9, 1.5]}", r"people.height_m: expected \[low, high\], found \[1.9, 1.5\]"),
        ("clips:", "clips: []\nothers:", "clips: .*at least 1 item"),
    ],
)
def test_a_typo_is_named_with_what_is_valid(tmp_path: Path, old: str, new: str, expected: str):
    assert old in GOOD
    with pytest.raises(ValueError, match=expected) as caught:
        load_recipe(write(tmp_path, GOOD.replace(old, new, 1)))
    assert all("recipe.yaml" in line for line in str(caught.value).splitlines())


@pytest.mark.parametrize(("text", "expected"), [("a: [", "not YAML"), ("- 1", "found list"), ("", "found NoneType")])
def test_what_is_no_recipe_says_so(tmp_path: Path, text: str, expected: str):
    with pytest.raises(ValueError, match=expected):
        load_recipe(write(tmp_path, text))
    with pytest.raises(ValueError, match="no such recipe"):
        load_recipe(tmp_path / "absent.yaml")


def test_the_plan_holds_every_clip_once_and_scenes_take_turns(tmp_path: Path):
    plan = make_plan(load_recipe(write(tmp_path, GOOD)), 3)
    assert len({clip.key for clip in plan}) == len(plan) == 11
    walks = sorted((clip for clip in plan if clip.action == "walk"), key=lambda clip: clip.number)
    assert [clip.scene for clip in walks] == ["room-0", "room-1", "bedroom"] * 2
    assert [clip.source for clip in walks] == ["library"] * 4 + ["store"] * 2


def test_the_plan_follows_from_the_seed(tmp_path: Path):
    recipe = load_recipe(write(tmp_path, GOOD))
    assert make_plan(recipe, 3) == make_plan(recipe, 3)
    assert make_plan(recipe, 3) != make_plan(recipe, 4)


def test_chance_differs_between_clips_attempts_and_seeds():
    draws = [clip_rng(s, k, a).integers(2**62) for s in (0, 1) for k in ("a", "b") for a in (0, 1)]
    assert len(set(draws)) == len(draws)
    assert clip_rng(0, "a", 0).integers(2**62) == draws[0]


def test_the_digest_ignores_where_the_recipe_lies_but_not_what_it_says(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    here, there = load_recipe(write(tmp_path, GOOD)), load_recipe(write(tmp_path / "elsewhere", GOOD))
    assert recipe_digest(here) == recipe_digest(there)
    assert recipe_digest(here) != recipe_digest(load_recipe(write(tmp_path, GOOD.replace("height: 64", "height: 96"))))


def test_many_scenes_are_filmed_some_at_a_time_each_with_all_actions():
    actions = ("walk", "sit", "fall_backward")
    recipe = Recipe.model_validate({"scenes": [{"rooms": 40}], "clips": [{"action": a, "count": 80} for a in actions]})
    plan = make_plan(recipe, seed=0)
    assert len({clip.key for clip in plan}) == 240
    turns = [{clip.scene for clip in plan[start : start + 96]} for start in (0, 96)]
    assert turns == [{f"room-{number}" for number in range(first, first + 16)} for first in (0, 16)]
    for start in range(0, 240, 24):
        assert {clip.action for clip in plan[start : start + 24]} == set(actions)


def test_two_scenes_of_one_name_are_refused():
    recipe = Recipe.model_validate({"scenes": [{"path": "a/x"}, {"path": "b/x"}], "clips": [{"action": "walk"}]})
    with pytest.raises(ValueError, match="both called 'x'"):
        scene_names(recipe)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"action": "walk", "people": 2}, "people: 'walk' is done by 1, not by 2; of 2 there are: hand_over"),
        ({"action": "push", "people": 1}, "people: 'push' is done by 2, not by 1; of 1 there are: walk"),
        ({"action": "walk", "people": 3}, "Input should be 1 or 2"),
        ({"action": "walk", "people": 2, "from": "generator"}, "gives motions of one person"),
        ({"action": "push", "count": 4, "motions": 2}, "motions is for actions of one person"),
        ({"action": "push", "prop": "stick"}, "prop: stick has no place in"),
    ],
)
def test_numbers_of_people_that_do_not_fit_are_refused(line, fault):
    with pytest.raises(ValueError, match=fault):
        Recipe.model_validate({"scenes": [{"room": 0}], "clips": [line]})


def test_an_action_of_two_people_is_planned_with_both():
    clips = [{"action": "push"}, {"action": "walk"}, {"action": "wander", "from": "store", "path": "s", "people": 2}]
    recipe = Recipe.model_validate({"scenes": [{"room": 0}], "actions": {"wander": "walk"}, "clips": clips})
    assert {clip.action: clip.two for clip in make_plan(recipe, 0)} == {"push": True, "walk": False, "wander": True}


@pytest.mark.parametrize("action", list(ACTIONS))
def test_every_action_may_be_asked_for(action: str):
    Recipe.model_validate({"scenes": [{"room": 0}], "clips": [{"action": action, "from": "generator"}]})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            ("height: 64", "height: 64, camera: swep"),
            "film.camera: unknown camera 'swep'; expected one of: scene, jitter, sweep",
        ),
        (("rooms: 2", "rooms: 2\n    cameras: [{position: [1, 2, 1]}]"), "scenes[0]: cameras belong to one scene"),
        (
            ("rooms: 2", "room: 2\n    cameras: [{position: [1, 2, 1], roll: 4}]"),
            "unknown key; valid: position, yaw, pitch, fov",
        ),
        (
            ("rooms: 2", "room: 2\n    camera: jitter\n    cameras: [{position: [1, 2, 1]}]"),
            "expected camera or cameras, not both",
        ),
        (("rooms: 2", "room: 2\n    cameras: [{position: [1, 2, 1], fov: 190}]"), "scenes[0].cameras[0].fov"),
        (("height: 64", "height: 64, lens: zoom"), "film.lens"),
        (("height: 64", "height: 64, distortion: [0.1]"), "film: distortion needs lens: wide or lens: fisheye"),
        (("height: 64", "height: 64, lens: fisheye, distortion: [0.1]"), "film: lens 'fisheye': expected the coefficients"),
        (("height: 64", "height: 64, look: dusk"), "film.look"),
        (("height: 64", "height: 64, look: []"), "film: look: expected day, night or both"),
        (("height: 64", "height: 64, compression: gif"), "film.compression"),
    ],
)
def test_faults_of_cameras_are_named_in_one_line(tmp_path: Path, change: tuple[str, str], fault: str):
    with pytest.raises(ValueError, match=re.escape(fault)) as error:
        load_recipe(write(tmp_path, GOOD.replace(*change)))
    assert "\n" not in str(error.value)


def test_a_scene_may_have_cameras_of_its_own(tmp_path: Path):
    text = GOOD.replace("path: scenes/bedroom", "path: scenes/bedroom\n    camera: scene").replace(
        "fps: 10", "camera: sweep, views: 5"
    )
    cameras = scene_cameras(load_recipe(write(tmp_path, text)))
    assert {name: (own.kind, own.views) for name, own in cameras.items()} == {
        "room-0": ("sweep", 5), "room-1": ("sweep", 5), "bedroom": ("scene", 1),
    }  # fmt: skip
    twice = load_recipe(write(tmp_path, GOOD.replace("- rooms: 2", "- rooms: 2\n  - {room: 1, camera: jitter}")))
    with pytest.raises(ValueError, match="'room-1' is listed twice with different cameras"):
        scene_cameras(twice)


OWN = """
actions: {wander: {label: roaming, captions: "{who} wanders."}, doze: sitting}
scenes: [{room: 0}]
clips:
  - {action: wander, from: takes/wander.bvh, count: 2}
  - {action: doze, from: Doze.NPZ, support: chair}
  - {action: wander, from: store, path: motions}
"""


def test_an_own_action_goes_into_the_plan_with_label_and_captions(tmp_path: Path):
    recipe = load_recipe(write(tmp_path, OWN))
    assert [clip.path for clip in recipe.clips] == [tmp_path / "takes/wander.bvh", tmp_path / "Doze.NPZ", tmp_path / "motions"]
    plan = make_plan(recipe, 0)
    assert {clip.key for clip in plan} == {f"clips-wander-{number:06d}" for number in range(3)} | {"clips-doze-000000"}
    assert {(clip.action, clip.source, clip.support) for clip in plan} == {
        ("wander", "file", "auto"), ("doze", "file", "chair"), ("wander", "store", "auto"),
    }  # fmt: skip
    assert {(clip.action, clip.defined) for clip in plan} == {
        ("wander", Action(label="roaming", captions=("{who} wanders.",))),
        ("doze", Action(label="sitting", captions=())),
    }


@pytest.mark.parametrize("change", [("roaming", "other"), ("wanders.", "roams."), ("doze: sitting", "doze: lying")])
def test_the_digest_holds_what_the_recipe_says_of_its_actions(tmp_path: Path, change: tuple[str, str]):
    before = recipe_digest(load_recipe(write(tmp_path, OWN)))
    assert recipe_digest(load_recipe(write(tmp_path, OWN.replace(*change)))) != before


@pytest.mark.parametrize("source", ["library", "generator"])
def test_an_own_action_that_its_source_cannot_make_is_refused(source: str):
    own = {"actions": {"wander": "other"}, "scenes": [{"room": 0}], "clips": [{"action": "wander", "from": source}]}
    with pytest.raises(
        ValueError, match=r"clips\[0\].action: 'wander' is your own: .* cannot make it; take it from: a motion file"
    ):
        Recipe.model_validate(own)
    Recipe.model_validate(own | {"clips": [{"action": "wander", "from": "generator", "path": "mine"}]})


def test_a_prop_goes_from_the_recipe_into_the_plan(tmp_path: Path):
    recipe = load_recipe(write(tmp_path, GOOD.replace("walk, count: 4", "walk, count: 4, prop: walker")))
    assert sorted(clip.prop or "" for clip in make_plan(recipe, 0)) == [""] * 7 + ["walker"] * 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("film: {", "film: {layers: [rgb, masks], "), "film.layers[1]: Input should be 'rgb', 'keypoints'"),
        (("film: {", "film: {height: 0, "), "film.height: Input should be greater than or equal to 32"),
    ],
)
def test_a_fault_of_filming_is_one_line(tmp_path: Path, change: tuple[str, str], expected: str):
    text = "scenes: [{room: 0}]\nclips: [{action: walk}]\nfilm: {fps: 10}\n".replace(*change)
    with pytest.raises(ValueError) as caught:
        load_recipe(write(tmp_path, text))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_clip_that_is_wrong_is_not_also_called_missing(tmp_path: Path):
    with pytest.raises(ValueError) as caught:
        load_recipe(write(tmp_path, "scenes: [{room: 0}]\nclips: [{action: walk, prop: ladder}]\n"))
    assert "unknown prop 'ladder'" in str(caught.value)
    assert "\n" not in str(caught.value)
