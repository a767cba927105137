"""Every network learns from windows as its input gives them, refuses others in one line, and starts from weights of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from recognition.checkpoint import KEPT, load_checkpoint, save_checkpoint
from recognition.csv_table import read_csv
from recognition.data import open_input
from recognition.evaluate import predict
from recognition.inputs.kinds import INPUTS
from recognition.networks.build import MODELS, build_model, start_from, to_network
from recognition.networks.graph import BONES, STEPS, adjacency
from recognition.networks.weights import UNDERSTUDY, head_of, read_checkpoint, weights_file
from recognition.statistics import average_precision
from recognition.study_file import make_study
from tests.make.realdata import require
from tests.make.videos import study_data

CLASSES = 3


def smallest(name: str) -> dict[str, int]:
    """The smallest windows that a network takes, of four frames at least."""
    network = MODELS[name]
    frames = -(-max(network.least_frames, 4) // network.frame_step) * network.frame_step
    return {"frames": frames, "size": -(-network.least_size // network.size_step) * network.size_step}


def windows_for(name: str, *, frames: int, size: int, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    kind = next(kind for kind, entry in INPUTS.items() if name in entry.models)
    if kind == "keypoints":
        return torch.randn(4, 3, frames, 17, generator=draws)
    if kind == "heatmaps":
        return torch.rand(4, 17, frames, size, size, generator=draws)
    return to_network(torch.randint(0, 256, (4, 3, frames, size, size), generator=draws, dtype=torch.uint8))


@pytest.mark.parametrize("name", MODELS)
def test_a_network_learns_from_one_update(name):
    if name == "videomae_s":
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    window = smallest(name)
    network = build_model(name, CLASSES, **window).train()
    logits = network(windows_for(name, **window))
    assert logits.shape == (4, CLASSES)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
    loss.backward()
    gradients = {key: value.grad for key, value in network.named_parameters() if value.requires_grad}
    assert all(value is not None and torch.isfinite(value).all() for value in gradients.values())
    # Inside residual branches there is none yet: they start at zero. The first weights and the head's have one.
    for key in (next(key for key in gradients if key.endswith("weight")), head_of(network)[0]):
        assert gradients[key].abs().sum() > 0, key
    before = network.state_dict()[head_of(network)[0]].clone()
    torch.optim.AdamW(network.parameters(), 1e-3).step()
    assert not torch.equal(network.state_dict()[head_of(network)[0]], before)


@pytest.mark.parametrize("name", MODELS)
def test_windows_that_a_network_does_not_take_are_refused_with_one_that_it_takes(name):
    network, window = MODELS[name], smallest(name)
    with pytest.raises(ValueError, match=rf"size: model '{name}' takes {network.least_size} or more.*, found 16; try (\d+)"):
        build_model(name, CLASSES, **{**window, "size": 16})
    if network.frame_step > 1:
        with pytest.raises(ValueError, match=rf"frames: model '{name}' takes .* a multiple of {network.frame_step}, found 7"):
            build_model(name, CLASSES, **{**window, "frames": 7})


def test_a_study_refuses_windows_that_its_network_does_not_take():
    data = study_data(Path("r.csv"), Path("t.csv"), model="slowfast_r50", frames=6)
    with pytest.raises(ValueError, match="frames: model 'slowfast_r50' takes 4 or more, a multiple of 4, found 6; try 8"):
        make_study(data)
    assert make_study({**data, "frames": 8}).frames == 8


def test_every_network_is_of_some_input_and_the_other_way_round():
    named = {name for kind in INPUTS.values() for name in kind.models}
    assert named == set(MODELS)
    for kind in INPUTS.values():
        assert kind.defaults["model"] in kind.models


def test_mvit_is_built_as_torchvisions():
    from torchvision.models.video import mvit_v2_s

    stock, ours = mvit_v2_s(weights=None, num_classes=CLASSES), build_model("mvit_v2_s", CLASSES, frames=16, size=224)
    assert str(ours) == str(stock)
    assert [(name, value.shape) for name, value in ours.state_dict().items()] == [
        (name, value.shape) for name, value in stock.state_dict().items()
    ]


def test_the_graph_joins_each_bone_both_ways_and_every_point_reaches_the_hips():
    joined = adjacency()
    assert ((joined > 0).sum(dim=0) <= 1).all()
    assert int((joined[1:] > 0).sum()) == 2 * len(BONES)
    for point, steps in enumerate(STEPS):
        nearest = min(STEPS[b if a == point else a] for a, b in BONES if point in (a, b))
        assert nearest == max(steps - 1, 0)


def saved(folder: Path, model: str = "x3d_xs", **changes) -> tuple[Path, torch.nn.Module]:
    """A checkpoint of fresh weights, and the network."""
    kind = next(kind for kind, entry in INPUTS.items() if model in entry.models)
    study = make_study(study_data(Path("r.csv"), Path("t.csv"), input=kind, model=model, **changes))
    torch.manual_seed(5)
    network = build_model(model, len(study.classes), frames=study.frames, size=study.size)
    save_checkpoint(folder / f"{model}.safetensors", network, study, arm="real", seed=0)
    return folder / f"{model}.safetensors", network


def test_all_but_the_head_is_taken_from_a_checkpoint_of_other_classes(tmp_path):
    path, given = saved(tmp_path)
    torch.manual_seed(6)
    network = build_model("x3d_xs", 5, frames=8, size=64)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    start_from(network, str(path), model="x3d_xs", input="person")
    for name, value in network.state_dict().items():
        assert torch.equal(value, fresh[name] if name in head_of(network) else given.state_dict()[name]), name
    assert not torch.equal(network.state_dict()["blocks.0.conv.conv_t.weight"], fresh["blocks.0.conv.conv_t.weight"])


def test_weights_of_another_network_or_window_are_refused_naming_file_and_field(tmp_path):
    path, _ = saved(tmp_path, "keypoint_cnn")
    network = build_model("st_gcn", CLASSES, frames=4, size=32)
    with pytest.raises(
        ValueError, match=r"weights: .*keypoint_cnn.safetensors: its field model is 'keypoint_cnn', the study's"
    ):
        start_from(network, str(path), model="st_gcn", input="keypoints")
    path, _ = saved(tmp_path, "mvit_v2_s", size=64)
    network = build_model("mvit_v2_s", CLASSES, frames=4, size=96)
    with pytest.raises(
        ValueError, match=r"weights: .*mvit_v2_s.safetensors: \S+ has shape .* another size or number of frames"
    ):
        start_from(network, str(path), model="mvit_v2_s", input="rgb")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"other.safetensors: not a checkpoint"):
        start_from(network, str(other), model="mvit_v2_s", input="rgb")


def test_unknown_weights_are_refused_when_the_study_is_read(tmp_path):
    data = study_data(Path("r.csv"), Path("t.csv"))
    with pytest.raises(
        ValueError, match="weights: unknown 'torchvision' for model 'x3d_xs'; expected one of: none, understudy, pytorchvideo"
    ):
        make_study({**data, "weights": "torchvision"})
    with pytest.raises(ValueError, match="weights: no shipped weights for input 'rgb' with model 'slowfast_r50'"):
        make_study({**data, "weights": "understudy", "model": "slowfast_r50"})
    assert make_study({**data, "weights": "old.safetensors"}, folder=tmp_path).weights == str(tmp_path / "old.safetensors")


def test_a_librarys_weights_come_from_its_cache_and_need_a_network_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    network = build_model("r2plus1d_18", CLASSES, frames=4, size=32)
    with pytest.raises(ValueError, match="weights: torchvision: the weights of r2plus1d_18 could not be downloaded"):
        start_from(network, "torchvision", model="r2plus1d_18", input="rgb")
    from torchvision.models.video import R2Plus1D_18_Weights

    given = build_model("r2plus1d_18", 400, frames=4, size=32).state_dict()
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    torch.save(given, tmp_path / "checkpoints" / R2Plus1D_18_Weights.DEFAULT.url.rsplit("/", 1)[1])
    start_from(network, "torchvision", model="r2plus1d_18", input="rgb")
    assert all(torch.equal(value, given[name]) for name, value in network.state_dict().items() if name not in head_of(network))


@pytest.mark.parametrize(("input", "model"), UNDERSTUDY)
def test_shipped_weights_start_a_network_and_have_a_card(input, model):
    path = weights_file("understudy", input=input, model=model)
    assert path is not None
    assert path.stat().st_size <= 20_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] in path.with_suffix(".md").read_text()
    tensors, about = read_checkpoint(path)
    assert (about["input"], about["model"]) == (input, model)
    network = build_model(model, CLASSES, frames=about["frames"], size=about["size"])
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    start_from(network, "understudy", model=model, input=input)
    for name, value in network.state_dict().items():
        assert torch.equal(value, fresh[name] if name in head_of(network) else tensors[name].to(value.dtype)), name


def test_shipped_weights_for_keypoints_know_real_falls_without_further_training(tmp_path):
    """Real detections of people whom no film shows: camera 1 of UP-Fall."""
    table = require("upfall/labels.csv")
    path = weights_file("understudy", input="keypoints", model="keypoint_cnn")
    assert path is not None
    network, about = load_checkpoint(path)
    study = make_study({**{key: about[key] for key in KEPT}, "arms": ["real"], "real": str(table), "test": str(table)})
    store = open_input(study, tmp_path)
    recordings = read_csv(table, where={"camera": ["1"]}, group_by=())
    found = predict(network, recordings, study, store=store)
    falls = found.truth == list(study.classes).index("fall")
    assert falls.sum() >= 10
    assert average_precision(falls, found.probabilities[:, list(study.classes).index("fall")]) > 0.8
