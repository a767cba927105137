"""Laws of stored scenes: what is saved comes back; a changed file is named; the same scene gives the same bytes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from augment.geometry import look_at
from augment.scene.store import add_furniture, load_scene, save_scene, scene_digest
from augment.types import Camera, Light, Obstacle, Scene, SceneMesh, Surface


def small_scene() -> Scene:
    rng = np.random.default_rng(3)
    return Scene(
        name="small",
        camera=Camera(
            K=np.array([[100.1, 0, 32], [0, 100.1, 24], [0, 0, 1]]), T_world_camera=look_at([0.1, 2.5, 0.2], [2, 0, 2]),
            width=64, height=48,
        ),
        plate=rng.integers(0, 256, (48, 64, 3), dtype=np.uint8),
        depth=rng.uniform(1, 5, (48, 64)).astype(np.float32),
        floor=np.array([[0, 0], [0, 4], [4.0, 4], [4, 0]]),
        surfaces=(Surface(kind="chair", center=np.array([1.0, 0.45, 2]), size=(0.5, 0.5), yaw=0.3),),
        obstacles=(Obstacle(name="table", center=np.array([3, 0.4, 3]), size=np.array([1, 0.8, 0.6]), yaw=-0.1),),
        lights=(Light(kind="point", position=np.array([2, 2.4, 2]), color=np.ones(3), intensity=1.0),),
        mesh=SceneMesh(
            vertices=rng.normal(size=(9, 3)), faces=np.arange(9).reshape(3, 3),
            colors=rng.integers(0, 256, (9, 3), dtype=np.uint8),
        ),
        provenance={"guessed": ["scale"], "seed": 3},
    )  # fmt: skip


def assert_same(a, b, path: str = "scene") -> None:
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}")
    elif isinstance(a, np.ndarray):
        # glTF keeps positions as float32.
        np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=path)
        assert a.shape == b.shape, path
    elif isinstance(a, tuple):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]")
    else:
        assert a == b, path


def test_a_scene_survives_the_round_trip(tmp_path: Path):
    scene = small_scene()
    save_scene(scene, tmp_path / "s")
    assert_same(scene, load_scene(tmp_path / "s"))


def test_a_scene_without_mesh_survives_too_and_drops_the_old_one(tmp_path: Path):
    save_scene(small_scene(), tmp_path / "s")
    bare = dataclasses.replace(small_scene(), mesh=None)
    save_scene(bare, tmp_path / "s")
    assert_same(bare, load_scene(tmp_path / "s"))
    assert not (tmp_path / "s" / "mesh.glb").exists()


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path):
    assert (
        save_scene(small_scene(), tmp_path / "a") == save_scene(small_scene(), tmp_path / "b") == scene_digest(tmp_path / "a")
    )
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["plate.png", "depth.npz", "mesh.glb"])
def test_a_changed_or_missing_file_is_named(tmp_path: Path, name: str):
    save_scene(small_scene(), tmp_path / "s")
    path = tmp_path / "s" / name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=f"{name}: changed"):
        load_scene(tmp_path / "s")
    path.unlink()
    with pytest.raises(ValueError, match=f"{name}: missing"):
        load_scene(tmp_path / "s")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"{", "not JSON"),
        (b"{}", "expected format"),
        (b"[]", "found 'list'"),
        (b'{"format": "understudy-scene-1"}', "field sha256"),
    ],
)
def test_no_scene_or_another_format_says_so(tmp_path: Path, content, message: str):
    if content is not None:
        (tmp_path / "scene.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    "change", [{"camera": 3}, {"floor": [["a", 0.0]]}, {"lights": [{"kind": "point"}]}, {"surfaces": None}]
)
def test_a_wrong_field_is_a_value_error_that_names_the_file(tmp_path: Path, change):
    save_scene(small_scene(), tmp_path / "s")
    path = tmp_path / "s" / "scene.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=r"scene\.json: a field is"):
        load_scene(tmp_path / "s")


def test_added_furniture_replaces_what_it_covers_and_leaves_the_rest(tmp_path: Path):
    scene = small_scene()
    before = save_scene(scene, tmp_path)
    bed = Surface(kind="bed", center=np.array([1.2, 0.25, 2.2]), size=(1.0, 2.0), yaw=0.3)
    assert add_furniture(tmp_path, bed) == 1
    loaded = load_scene(tmp_path)
    assert_same(loaded.surfaces, (bed,))
    assert_same(loaded.obstacles, scene.obstacles)
    assert scene_digest(tmp_path) != before
    shelf = Obstacle(name="shelf", center=np.array([0.2, 0.9, 0.3]), size=np.array([0.3, 1.8, 0.4]))
    assert add_furniture(tmp_path, shelf) == 0
    assert_same(load_scene(tmp_path).obstacles, (*scene.obstacles, shelf))
