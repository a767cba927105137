"""From clips to a report: it learns, repeats itself, resumes, and refuses."""

from __future__ import annotations

import json
import multiprocessing
import threading

import pytest
import torch

from recognition import cli
from recognition.ablation import ablate, run_one
from recognition.checkpoint import load_checkpoint, save_checkpoint
from recognition.data import open_input, read_data, run_digest
from recognition.evaluate import Predictions, score
from recognition.networks.build import build_model
from recognition.report import write_report
from recognition.study import Arm, Study
from recognition.study_file import make_study
from tests.make.videos import study_data, write_samples, write_videos


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Videos to train and test on, and shards."""
    folder = tmp_path_factory.mktemp("world")
    real = write_videos(folder / "real", 4, seed=1, prefix="r")
    test = write_videos(folder / "test", 3, seed=2, prefix="t")
    return folder, real, test, write_samples(folder / "shards", 4, seed=3)


@pytest.fixture
def one_thread():
    """Small networks run faster, and the same everywhere, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_classifier_learns(world, tmp_path, one_thread):
    _, real, test, _ = world
    study = make_study(study_data(real, test))
    run = run_one(read_data(study), study.arms[0], 0, store=open_input(study, tmp_path / "frames"))
    figures = score(Predictions.from_json(run["test"]), study)
    assert figures["macro_accuracy"] > 0.6  # chance is 1/3
    assert figures["recall"].keys() == {"standing", "fall", "down"}


def test_the_same_seed_gives_the_same_result(world, tmp_path, one_thread):
    _, real, test, _ = world
    study = make_study(study_data(real, test, steps=2, arms=["real_augmented"]))
    plan = read_data(study)
    store = open_input(study, tmp_path / "frames")
    runs = [run_one(plan, study.arms[0], seed, store=store) for seed in (0, 0, 1)]
    assert runs[0]["losses"] == runs[1]["losses"] != runs[2]["losses"]
    assert runs[0]["test"] == runs[1]["test"]


def test_an_ablation_resumes_and_reports(world, tmp_path, monkeypatch, capsys):
    _, real, test, shards = world
    arms = ["real", "real_synthetic_mixed", "real_synthetic"]
    data = study_data(real, test, arms=arms, steps=2, seeds=[0, 1], synthetic=str(shards), note="made-up bars")
    study = make_study(data)
    out = tmp_path / "out"
    result = ablate(study, out, workers=1, threads=1)
    write_report(result, out)
    assert {path.name for path in out.iterdir()} == {"report.html", "report.png", "report.json", "runs"}
    assert len(list((out / "runs").iterdir())) == 6
    written = json.loads((out / "report.json").read_text())
    assert written["inputs"]["rgb"]["arms"].keys() == set(arms)
    assert [c["arm"] for c in written["inputs"]["rgb"]["comparisons"]] == arms[1:]
    assert written["data"]["training"]["real_synthetic"]["synthetic"]["recordings"] == 4
    assert any(warning.startswith("4 of 4 synthetic clips do not say") for warning in written["warnings"])
    html = (out / "report.html").read_text()
    assert "made-up bars" in html
    assert "http" not in html.replace("http-equiv", "")
    # One run is lost, another damaged: these two are made again, the others taken as they are.
    lost, damaged = sorted((out / "runs").iterdir())[:2]
    names = {path.name for path in (out / "runs").iterdir()}
    lost.unlink()
    damaged.write_text("{")
    again = ablate(study, out, workers=1, threads=1)
    assert again["reused_runs"] == 4
    assert again["inputs"]["rgb"]["arms"] == result["inputs"]["rgb"]["arms"]
    assert {path.name for path in (out / "runs").iterdir()} == names


# Another value of every setting that decides a run's result.
DECISIVE = {
    "classes": {"standing": ["standing"], "fall": ["fall", "fallen"]}, "rare_class": "down", "window_sec": 0.5, "frames": 2,
    "size": 48, "model": "r2plus1d_18", "steps": 3, "batch": 4, "lr": 0.1, "precision": "bfloat16", "group_by": [],
    "weights": "pytorchvideo",
}  # fmt: skip
DECISIVE_OF_ARM = {"augment": True, "synthetic_share": 0.3, "check_labels": True, "real_events": 1, "films": 1}
# Settings of the report alone.
ONLY_SHOWN = {
    "labels": None, "hard_negatives": ["lying"], "alarm_windows": 1, "alarm_recall": 0.5, "alarm_release": 1.0,
    "show_clips": "all", "keep_gb": 0.1,
}  # fmt: skip


def test_a_run_is_reused_only_if_everything_that_decides_its_result_is_the_same(world, tmp_path):
    _, real, test, shards = world
    data = study_data(real, test, synthetic=str(shards), arms=[{"name": "mixed", "synthetic": True}])

    def digest(**changes) -> str:
        study = make_study({**data, **changes})
        return run_digest(read_data(study), study.arms[0], 0, threads=1)

    changed = [digest(**{name: value}) for name, value in DECISIVE.items()]
    changed += [digest(input="keypoints", model="keypoint_cnn")]
    changed += [digest(arms=[{**data["arms"][0], name: value}]) for name, value in DECISIVE_OF_ARM.items()]
    changed += [digest(test=str(real), real=str(test)), digest(arms=[{"name": "mixed", "real": False, "synthetic": True}])]
    assert len({digest(), *changed}) == len(changed) + 1
    start = tmp_path / "start.safetensors"
    study = make_study(data)
    for seed in range(2):
        network = build_model(study.model, len(study.classes), frames=study.frames, size=study.size)
        save_checkpoint(start, network, study, arm="mixed", seed=seed)  # which is written into it
        changed.append(digest(weights=str(start)))
    assert len({digest(), *changed}) == len(changed) + 1
    assert ONLY_SHOWN.keys() <= Study.model_fields.keys()
    same = {"name": "x", "note": "another", "baseline": "mixed", "seeds": [0, 5], "max_bad_share": 0.5, **ONLY_SHOWN}
    for name, value in same.items():
        assert digest(**{name: value}) == digest()
    # Every field is in one of the two lists, so that a new one is thought of.
    assert Study.model_fields.keys() == DECISIVE.keys() | {
        "input", "inputs", "name", "note", "baseline", "seeds", "max_bad_share", "arms", "real", "synthetic", "test",
        "validation", "held_out", "shares", "few", "films", *ONLY_SHOWN,
    }  # fmt: skip
    assert Arm.model_fields.keys() == {*DECISIVE_OF_ARM, "name", "real", "synthetic", "reference", "smaller"}


def test_the_order_of_the_classes_decides_a_run(world):
    _, real, test, _ = world
    data = study_data(real, test)
    studies = [
        make_study({**data, "classes": dict(pairs)}) for pairs in (data["classes"].items(), reversed(data["classes"].items()))
    ]
    digests = [run_digest(read_data(study), study.arms[0], 0, threads=1) for study in studies]
    assert digests[0] != digests[1]


def test_a_killed_worker_gives_one_line_and_keeps_finished_runs(world, tmp_path, capsys):
    _, real, test, _ = world
    study, out = tmp_path / "study.yaml", tmp_path / "out"
    study.write_text(json.dumps(study_data(real, test, steps=2, seeds=list(range(8)))))
    ended = threading.Event()

    def kill_after_first_run() -> None:
        while not ended.wait(0.01):
            if list((out / "runs").glob("*.json")):
                for process in multiprocessing.active_children():
                    process.kill()
                return

    killer = threading.Thread(target=kill_after_first_run)
    killer.start()
    try:
        assert cli.main(["ablate", str(study), "--out", str(out), "--workers", "1"]) == 2
    finally:
        ended.set()
        killer.join()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "a worker process died" in lines[0]
    kept = [json.loads(path.read_text()) for path in (out / "runs").iterdir()]
    assert 1 <= len(kept) < 8
    assert [run["seed"] for run in kept if run["seed"] == 0] == [0]


def test_a_leaking_study_is_refused_before_anything_is_decoded(world, tmp_path):
    _, real, test, _ = world
    with pytest.raises(ValueError, match=r"leaks: 4 group\(s\)"):
        ablate(make_study(study_data(real, real)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    made = write_samples(tmp_path / "made", 1, seed=4, provenance={"scene": {"recordings": ["trial=t0"]}})
    data = study_data(real, test, arms=["synthetic"], synthetic=str(made))
    with pytest.raises(ValueError, match=r"clip0, were made from test recording.s. videos/t0.mp4"):
        read_data(make_study(data))


def test_the_commands_train_evaluate_and_fail_in_one_line(world, tmp_path, capsys):
    _, real, test, shards = world
    study = tmp_path / "study.yaml"
    study.write_text(json.dumps(study_data(real, test, steps=2)))
    checkpoint = tmp_path / "c.safetensors"
    assert cli.main(["train", str(study), "--out", str(checkpoint)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"checkpoint: {checkpoint} (arm real, input rgb, seed 0)"
    network, about = load_checkpoint(checkpoint)
    assert about["classes"].keys() == {"standing", "fall", "down"}
    assert not network.training
    figures = []
    for data in (str(test), str(shards)):
        out = tmp_path / "figures.json"
        assert cli.main(["evaluate", str(checkpoint), "--data", data, "--out", str(out)]) == 0
        figures.append(json.loads(out.read_text()))
    assert figures[0]["windows"] == 27
    assert cli.main(["evaluate", str(checkpoint), "--data", str(test), "--where", "trial=t0"]) == 0
    capsys.readouterr()
    for arguments, message in (
        (["train", str(tmp_path / "none.yaml")], "No such file"),
        (["train", str(study), "--arm", "reel"], "error: unknown arm 'reel'; the study has: real"),
        (["evaluate", str(study), "--data", str(test)], "not a checkpoint of `recognition train`"),
        (["evaluate", str(checkpoint), "--data", str(test), "--where", "trial"], "expected COLUMN=VALUE"),
        (["ablate", str(study), "--out", str(tmp_path / "o"), "--workers", "0"], "expected 1 or more"),
    ):
        assert cli.main(arguments) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert message in error
        assert error.startswith("error: ")


def test_ctrl_c_is_130(monkeypatch, tmp_path, capsys):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Ablate, "run", interrupt)
    assert cli.main(["ablate", "x.yaml", "--out", str(tmp_path)]) == 130
