"""Laws of events of one's own: a name that no table of ours has goes the whole way, from a file to a classifier's windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.actions import Action
from augment.commands.generate import Generate
from augment.files import sha256_of_file
from augment.generate.casting import cast, check_sources
from augment.generate.recipe import PeopleOptions, PlannedClip, Recipe, load_recipe, make_plan
from augment.generate.run import generate
from augment.motion.library.falls.simulate import FallRejected
from augment.motion.library.scripted.act import make_action
from augment.motion.store import StoreWriter
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene
from augment.seeds import clip_rng
from augment.shards.tar import read_manifest
from augment.shards.verify import verify
from augment.types import Segment
from recognition.data import open_input, read_source
from recognition.recordings import TrainingClips
from recognition.study_file import make_study
from recognition.train import train
from recognition.windows import evaluation_windows
from tests.make.mocap import foreign_amass, wandering_bvh
from tests.make.shards import read_shards

THREE_LINES = """
scenes: [{path: room}]
actions: {wander: {label: roaming about, captions: "{who} wanders about."}, doze: sitting}
clips: [{action: wander, from: wander.bvh, count: 2}, {action: doze, from: doze.npz}]
"""
SMALL = "film: {height: 64, fps: 6, seconds: 1.5}\nshards: {samples_per_shard: 1}\n"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory, body) -> Path:
    """A folder with a room, a BVH of somebody wandering, a foreign AMASS file of somebody sitting, and a recipe."""
    folder = tmp_path_factory.mktemp("kitchen")
    save_scene(make_room(seed=1, height=96), folder / "room")
    (folder / "wander.bvh").write_text(wandering_bvh())
    sits = make_action("sit", rng=np.random.default_rng(3), body=body, seconds=3.0, fps=30.0)
    np.savez(folder / "doze.npz", **foreign_amass(sits, body.rest_joints(sits.betas)[0]))
    (folder / "recipe.yaml").write_text(THREE_LINES + SMALL)
    return folder


@pytest.fixture(scope="module")
def shards(kitchen: Path) -> Path:
    generate(load_recipe(kitchen / "recipe.yaml"), kitchen / "clips", workers=1)
    return kitchen / "clips"


def test_a_motion_file_is_in_a_film_under_the_name_the_recipe_gives_it(kitchen: Path, shards: Path):
    assert verify(shards) == []
    samples = [sample["json"] for sample in read_shards(shards, members=("json",))]
    told = {(s["label"], s["caption"], tuple(segment["label"] for segment in s["segments"])) for s in samples}
    assert told == {
        ("wander", "A person wanders about.", ("roaming about",)),
        ("doze", "A person performs the action doze.", ("sitting",)),
    }
    for sample in samples:
        motion = sample["provenance"]["motion"]
        name = {"wander": "wander.bvh", "doze": "doze.npz"}[sample["label"]]
        assert (motion["from"], motion["details"]["file"]) == ("file", name)
        assert motion["details"]["sha256"] == sha256_of_file(kitchen / name)
    supports = {s["label"]: (s["provenance"]["motion"]["support"], s["provenance"]["placement"]["support"]) for s in samples}
    assert supports["wander"] == ("floor", "none")
    assert supports["doze"][0] == "chair"  # found in the motion: the file holds the body alone
    assert supports["doze"][1] in ("room", "prop")


def test_workers_that_read_the_file_themselves_give_the_same_bytes(kitchen: Path, shards: Path):
    generate(load_recipe(kitchen / "recipe.yaml"), kitchen / "two", workers=2)
    for path in shards.glob("*.tar"):
        assert path.read_bytes() == (kitchen / "two" / path.name).read_bytes()


def test_the_files_content_is_part_of_the_plan(kitchen: Path, shards: Path, tmp_path: Path):
    sources = read_manifest(shards)["sources"]
    assert sources == {f"file {name}": sha256_of_file(kitchen / name) for name in ("wander.bvh", "doze.npz")}
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "take.bvh").write_text(wandering_bvh(60 + number))
    clips = [{"action": "walk", "from": str(tmp_path / name / "take.bvh")} for name in ("a", "b")]
    both = check_sources(make_plan(Recipe.model_validate({"scenes": [{"room": 0}], "clips": clips}), 0))
    assert both.keys() == {"file take.bvh", "file take.bvh 2"}
    assert set(both.values()) == {sha256_of_file(tmp_path / name / "take.bvh") for name in ("a", "b")}


def test_a_classifier_learns_from_windows_of_frame_labels_of_ones_own(shards: Path, tmp_path: Path):
    study = make_study({
        "classes": {"roaming": "roaming about", "sitting": "sitting"}, "rare_class": "roaming", "window_sec": 1.0, "frames": 2,
        "size": 32, "steps": 2, "batch": 2, "precision": "float32", "arms": ["synthetic"], "synthetic": str(shards),
        "test": "labels.csv",
    })  # fmt: skip
    assert study.synthetic is not None
    clips = read_source(study.synthetic)
    windows = evaluation_windows(clips, study.classes, window_sec=1.0)
    shown = {clips[window.recording].row["action"]: window.label for window in windows}
    assert shown == {"wander": 0, "doze": 1}
    store = open_input(study, tmp_path)
    trained = train(study, study.arms[0], TrainingClips(real=[], synthetic=clips), store=store, seed=0)
    assert len(trained.losses) == 2


def planned(
    path: Path, action: str, *, source: str = "file", defined: Action | None = None, support: str = "auto"
) -> PlannedClip:
    return PlannedClip(
        key="k", number=0, action=action, source=source, path=path, others=0, scene="room", defined=defined, support=support
    )


@pytest.mark.parametrize(
    ("name", "action", "support", "message"),
    [
        (
            "wander.bvh",
            "wlak",
            "auto",
            r"wander.bvh: action 'wlak' is none of ours \(did you mean 'walk'\?\), .* actions: {wlak: {label: other}}",
        ),
        ("absent.bvh", "walk", "auto", "absent.bvh: expected a motion file"),
        ("torn.npz", "walk", "auto", "torn: expected an AMASS npz"),
        ("short.bvh", "walk", "auto", r"short: expected at least 0.25 s"),
        ("wander.bvh", "walk", "chair", "wander: support chair: nobody rests as on a chair for a second; use auto or floor"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_before_any_work(
    kitchen: Path, tmp_path: Path, name: str, action: str, support: str, message: str
):
    (tmp_path / "torn.npz").write_bytes((kitchen / "doze.npz").read_bytes()[:400])
    (tmp_path / "short.bvh").write_text(wandering_bvh(4))
    (tmp_path / "wander.bvh").write_text(wandering_bvh(40))
    with pytest.raises(ValueError, match=message) as caught:
        check_sources([planned(tmp_path / name, action, support=support)])
    assert "\n" not in str(caught.value)


def test_a_dry_run_shows_the_file_and_finds_what_is_wrong_with_it(kitchen: Path, tmp_path: Path, capsys):
    Generate(recipe=kitchen / "recipe.yaml", out=str(tmp_path / "out"), dry_run=True).run()
    assert "wander.bvh" in capsys.readouterr().out
    (tmp_path / "recipe.yaml").write_text(THREE_LINES)
    with pytest.raises(ValueError, match=r"doze\.npz: expected a motion file"):
        Generate(recipe=tmp_path / "recipe.yaml", out=str(tmp_path / "out"), dry_run=True).run()
    assert not (tmp_path / "out").exists()


def test_a_frame_label_that_may_be_a_slip_is_pointed_out_and_taken(kitchen: Path, capsys):
    text = (kitchen / "recipe.yaml").read_text()
    (kitchen / "slip.yaml").write_text(text.replace("roaming about", "wlak"))
    for name, told in (("slip", True), ("recipe", False)):
        Generate(recipe=kitchen / f"{name}.yaml", out=str(kitchen / "nothing"), dry_run=True).run()
        note = "note: actions.wander: 'wlak' is taken as a frame label of your own (did you mean 'walk'?)"
        assert (note in capsys.readouterr().err) == told


def test_support_of_a_file_is_what_was_asked_for(kitchen: Path, body):
    """Law: floor takes the chair away that ``auto`` finds."""
    for support, found in (("auto", "chair"), ("chair", "chair"), ("floor", "floor")):
        performance = cast(
            planned(kitchen / "doze.npz", "sit", support=support), PeopleOptions(), body, rng=clip_rng(0, "k", 0), seconds=None
        )
        assert performance.people[0].support == found


def test_clips_of_a_long_file_show_different_parts_of_it(kitchen: Path, body):
    clip, people = planned(kitchen / "wander.bvh", "walk"), PeopleOptions()
    starts = [cast(clip, people, body, rng=clip_rng(0, "k", k), seconds=2.0).people[0] for k in range(3)]
    assert {motion.segments[-1].end_sec for motion in starts} == {2.0}
    turns = {round(float(np.linalg.norm(motion.transl[0, [0, 2]] - motion.transl[-1, [0, 2]])), 3) for motion in starts}
    assert len(turns) == 3


@pytest.fixture
def store(tmp_path: Path, body) -> Path:
    """A store with an action of one's own whose core is one of two segments."""
    walk = make_action("walk", rng=np.random.default_rng(0), body=body, seconds=3.0)
    segments = (Segment(label="walk", start_sec=0.0, end_sec=1.0), Segment(label="pacing", start_sec=1.0, end_sec=walk.seconds))
    with StoreWriter(tmp_path / "motions") as writer:
        for number in range(2):
            own = replace(walk, name=f"pace-{number}", action="pace", label="pacing", segments=segments, caption="Ann paces.")
            writer.add(own)
    return tmp_path / "motions"


def test_a_stores_own_action_needs_no_words_in_the_recipe(store: Path, body):
    clip = planned(store, "pace", source="store")
    check_sources([clip])
    performance = cast(clip, PeopleOptions(), body, rng=clip_rng(0, "k", 0), seconds=None)
    assert (performance.action, performance.caption) == ("pace", "Ann paces.")
    assert [segment.label for segment in performance.segments] == ["walk", "pacing"]
    with pytest.raises(ValueError, match=r"no motion of action 'pase' \(did you mean 'pace'\?\); it holds: pace"):
        check_sources([planned(store, "pase", source="store")])


def test_what_the_recipe_says_of_an_action_replaces_label_and_caption_of_its_core_alone(store: Path, body):
    said = Action(label="agitated", captions=("{who} is restless.",))
    clip = planned(store, "pace", source="store", defined=said)
    performance = cast(clip, PeopleOptions(), body, rng=clip_rng(0, "k", 0), seconds=None)
    assert performance.caption == "A person is restless."
    assert [segment.label for segment in performance.segments] == ["walk", "agitated"]
    fall = replace(clip, action="fall_backward", source="physics", path=None, defined=Action(label="faint", captions=()))
    for attempt in range(8):
        try:
            performance = cast(fall, PeopleOptions(), body, rng=clip_rng(0, "k", attempt), seconds=None)
            break
        except FallRejected:
            continue
    labels = [segment.label for segment in performance.segments]
    assert "faint" in labels
    assert "fallen" in labels
    assert "fall" not in labels


def test_a_long_motion_is_cut_around_the_core_that_its_own_label_names(store: Path, body):
    clip = planned(store, "pace", source="store")
    for seed in range(4):
        performance = cast(clip, PeopleOptions(), body, rng=clip_rng(seed, "k", 0), seconds=1.5)
        assert "pacing" in [segment.label for segment in performance.segments]
