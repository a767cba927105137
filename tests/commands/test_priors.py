"""The commands of priors, on a tiny store."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from augment.commands.priors import PriorsEvaluate, PriorsSample, PriorsTrain
from augment.motion.store import StoreWriter
from augment.priors.evaluate import fit_rows
from augment.priors.joint_fit import JointFitConfig
from augment.priors.poses import dataset_of
from augment.priors.registry import load_prior
from tests.make.priors import few_motions


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with StoreWriter(folder) as writer:
        for motion in few_motions(count=16):
            writer.add(replace(motion, source="made up", licence="CC0-1.0"))
    return folder


def test_train_sample_and_evaluate_end_with_where_the_result_is(store, tmp_path, capsys) -> None:
    out, sheet = tmp_path / "runs" / "mine.safetensors", tmp_path / "sheets" / "poses.png"
    PriorsTrain(kind="gmm", store=store, out=out, held_out=0.3).run()
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith(f"{out}: a gmm prior")
    assert "CC0-1.0" in printed
    assert "made up | CC0-1.0 | 16" in out.with_suffix(".md").read_text()
    PriorsSample(prior=str(out), out=sheet, n=3).run()
    assert capsys.readouterr().out.splitlines()[-1].startswith(str(sheet))
    assert sheet.stat().st_size > 1000
    PriorsEvaluate(prior=str(out), store=store, held_out=0.3, clips=0).run()
    printed = capsys.readouterr().out
    assert "random rotations" in printed
    assert "held-out motions" in printed.splitlines()[-1]


def test_bad_numbers_are_refused(store, tmp_path) -> None:
    with pytest.raises(ValueError, match="--steps 0"):
        PriorsTrain(kind="gmm", store=store, out=tmp_path / "p.safetensors", steps=0).run()
    with pytest.raises(ValueError, match="-n 0"):
        PriorsSample(prior="shipped", out=tmp_path / "p.png", n=0).run()
    with pytest.raises(ValueError, match="--clips -1"):
        PriorsEvaluate(prior="shipped", store=store, clips=-1).run()
    with pytest.raises(ValueError, match="held-out"):
        PriorsEvaluate(prior="shipped", store=store, held_out=0.0).run()


def test_a_prior_of_no_weight_changes_no_fit() -> None:
    data = dataset_of(few_motions(), held_out=0.25)
    config = JointFitConfig(iterations=3, weight=0.0)
    rows = list(fit_rows(load_prior(), data, clips=1, config=config, generator=torch.Generator().manual_seed(0)))
    assert [name for name, _, _ in rows][:2] == ["hidden: none", "hidden: leg"]
    assert all(without == helped for _, without, helped in rows)
    weighed = JointFitConfig(iterations=3, weight=1000.0)
    rows = list(fit_rows(load_prior(), data, clips=1, config=weighed, generator=torch.Generator().manual_seed(0)))
    assert all(without != helped for _, without, helped in rows)
