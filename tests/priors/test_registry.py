"""Laws of a prior's file: what is written is what is read, and what is not ours is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from augment.priors.card import write_card
from augment.priors.gmm import GmmConfig
from augment.priors.poses import sequences
from augment.priors.prior_file import PriorFile, save_prior
from augment.priors.registry import PRIORS, load_prior, prior_of, read_prior_file, shipped
from augment.priors.train import train_prior
from augment.priors.vposer import VPoserConfig
from tests.make.priors import few_poses

SMALL = {"gmm": GmmConfig(components=2, steps=5), "vposer": VPoserConfig(latent=4, width=8, steps=2, batch=8)}


@pytest.fixture(scope="module")
def data():
    return few_poses()


@pytest.fixture(params=sorted(SMALL))
def path(request, data, tmp_path):
    train_prior(request.param, data, tmp_path / "prior.safetensors", config=SMALL[request.param])
    return tmp_path / "prior.safetensors"


def respoil(path, **metadata: str | None) -> None:
    """Rewrite a prior's file with other metadata (None removes a field)."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        old = file.metadata()
    new = {**old, **metadata}
    save_file(load_file(path), path, {key: value for key, value in new.items() if value is not None})


def test_saved_and_loaded_energies_are_equal(path, data) -> None:
    stored = read_prior_file(path)
    copy = save_prior(stored, path.with_name("copy.safetensors"))
    sequence = sequences(data, held_out=True)[0]
    assert torch.equal(prior_of(stored).energy(sequence), load_prior(copy).energy(sequence))
    assert copy.read_bytes() == path.read_bytes()
    assert load_prior(str(copy)).name == stored.kind


def test_the_file_says_what_it_was_trained_on(path, data, tmp_path) -> None:
    stored = read_prior_file(path)
    assert [row["licence"] for row in stored.training_data] == [row["licence"] for row in data.origins]
    assert stored.facts["held_out_motions"] == int(data.held_out.sum())
    write_card(stored, tmp_path / "card.md", ("Made by hand.",))
    card = (tmp_path / "card.md").read_text()
    assert stored.kind in card
    assert str(data.origins[0]["licence"]) in card
    assert "Made by hand." in card


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": "something-else"}, "format"),
        ({"format": None}, "format"),
        ({"kind": "oracle"}, "kind"),
        ({"kind": None}, "kind"),
        ({"normalisation": "0.0"}, "normalisation"),
        ({"normalisation": "nan"}, "normalisation"),
        ({"normalisation": "much"}, "normalisation"),
        ({"normalisation": None}, "normalisation"),
        ({"config": "{"}, "config"),
        ({"config": "[]"}, "config"),
        ({"config": "{}"}, "config"),
        ({"config": None}, "config"),
        ({"training_data": "[1]"}, "training_data"),
        ({"facts": "null"}, "facts"),
    ],
)
def test_a_wrong_field_is_named(data, tmp_path, change, field) -> None:
    path = tmp_path / "gmm.safetensors"
    train_prior("gmm", data, path, config=SMALL["gmm"])
    respoil(path, **change)
    with pytest.raises(ValueError, match=rf"gmm\.safetensors: field {field}"):
        load_prior(path)


def test_networks_of_absurd_size_are_refused_before_they_are_made(data, tmp_path) -> None:
    path = tmp_path / "vposer.safetensors"
    train_prior("vposer", data, path, config=SMALL["vposer"])
    config = read_prior_file(path).config
    for width in (10**9, -1, 2.5, "8", True):
        respoil(path, config=json.dumps({**config, "width": width}))
        with pytest.raises(ValueError, match=r"vposer\.safetensors: field config\.width"):
            load_prior(path)
    respoil(path, config=json.dumps({**config, "off_manifold": -1.0}))
    with pytest.raises(ValueError, match=r"field config\.off_manifold"):
        load_prior(path)
    respoil(path, config=json.dumps({**config, "depth": 3}))
    with pytest.raises(ValueError, match="field config"):
        load_prior(path)


def test_missing_misshapen_and_infinite_tensors_are_named(path) -> None:
    stored = read_prior_file(path)
    name = sorted(stored.tensors)[0]
    value = stored.tensors[name]
    without = {key: each for key, each in stored.tensors.items() if key != name}
    for tensors, message in (
        (without, f"tensor {name}: expected in a"),
        ({**without, name: value[..., :-1]}, f"tensor {name}: expected shape"),
        ({**without, name: torch.full_like(value, torch.nan)}, f"tensor {name}: expected finite"),
    ):
        save_prior(replace(stored, tensors=tensors), path)
        with pytest.raises(ValueError, match=message):
            load_prior(path)


def test_a_mixture_that_is_none_is_refused(data, tmp_path) -> None:
    path = tmp_path / "gmm.safetensors"
    train_prior("gmm", data, path, config=SMALL["gmm"])
    stored = read_prior_file(path)
    for name in ("weights", "whiteners"):
        save_prior(replace(stored, tensors={**stored.tensors, name: -stored.tensors[name]}), path)
        with pytest.raises(ValueError, match=f"tensor {name}: expected"):
            load_prior(path)


def test_other_files_are_refused(tmp_path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, other)
    with pytest.raises(ValueError, match=r"other\.safetensors: field format"):
        load_prior(other)
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"\x80\x02\x00\x00pickle?")
    with pytest.raises(ValueError, match=r"noise\.safetensors: expected a prior"):
        load_prior(noise)
    with pytest.raises(ValueError, match="no such prior"):
        load_prior(tmp_path / "absent.safetensors")
    with pytest.raises(ValueError, match="no such prior"):
        load_prior(tmp_path)


def test_an_unknown_kind_is_refused_with_the_valid_ones(data, tmp_path) -> None:
    with pytest.raises(ValueError, match="gmm, humor, posendf, vposer"):
        train_prior("oracle", data, tmp_path / "o.safetensors")
    unknown = PriorFile(kind="x", tensors={}, config={}, normalisation=1.0, training_data=())
    with pytest.raises(ValueError, match=r"field kind: expected one of gmm, humor, posendf, vposer"):
        load_prior(save_prior(unknown, tmp_path / "x"))


def test_the_default_is_shipped_and_free_to_use() -> None:
    assert "gmm" in shipped()
    stored = read_prior_file()
    assert {row["licence"] for row in stored.training_data} <= {"Apache-2.0", "MIT", "CC0-1.0"}
    assert load_prior("gmm").name == load_prior().name == "gmm"
    for kind in sorted(set(PRIORS) - set(shipped())):
        with pytest.raises(ValueError, match=f"augment priors train {kind}"):
            load_prior(kind)


def test_an_output_that_is_a_folder_is_refused_before_training(data, tmp_path) -> None:
    with pytest.raises(ValueError, match="found a folder"):
        train_prior("gmm", data, tmp_path)
