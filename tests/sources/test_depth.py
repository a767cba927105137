"""Depth maps: written as each producer writes them, read back as the same metres or disparity; and what must be refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from augment.sources.depth.maps import DepthMaps, read_depth_maps, resize_map
from augment.sources.depth.rgbd import read_depth
from tests.make.realdata import require

W, H = 64, 48
K = np.array([[60.0, 0, W / 2], [0, 61.0, H / 2], [0, 0, 1]])


def _depth(n: int = 3, h: int = H, w: int = W) -> np.ndarray:
    """Slanted walls that come nearer with every frame, metres."""
    v, u = np.mgrid[:h, :w]
    return np.stack([4.0 + u / w + v / h - 0.1 * i for i in range(n)]).astype(np.float32)


def _read(path: Path, **options) -> DepthMaps:
    return read_depth_maps(path, **({"width": W, "height": H} | options))


def _assert_same(maps: DepthMaps, expected: np.ndarray, rtol: float = 1e-6) -> None:
    assert len(maps) == len(expected)
    for index, want in enumerate(expected):
        values, valid = maps.load(index)
        assert values.dtype == np.float32
        assert valid.all()
        np.testing.assert_allclose(values, want, rtol=rtol)


def _write(path: Path, case: str) -> tuple[Path, np.ndarray]:
    """Write maps as a producer does; what must come back."""
    depth, disparity = _depth(), 20 / _depth()
    if case == "v2 relative":
        for i, each in enumerate(disparity):
            np.save(path / f"room_{i:04d}.npy", each)
        return path, disparity
    if case == "v2 metric":
        for i, each in enumerate(depth):
            np.save(path / f"{i}_raw_depth_meter.npy", each)
            cv2.imwrite(str(path / f"{i}.png"), np.full((H, W, 3), (10, 200, 30), np.uint8))  # run.py's coloured picture
        return path, depth
    if case == "depth alone":
        np.savez(path / "x.npz", depth=depth)
        return path / "x.npz", depth
    if case == "video depth anything":
        np.savez_compressed(path / "a_depths.npz", depths=disparity)
        return path / "a_depths.npz", disparity
    if case == "v3":
        np.savez_compressed(
            path / "results.npz", depth=depth, conf=depth, extrinsics=np.tile(np.eye(4)[:3], (3, 1, 1)), intrinsics=[K] * 3
        )
        return path / "results.npz", depth
    if case == "v3 short names":
        np.savez_compressed(path / "results.npz", depth=depth, conf=depth, exts=np.tile(np.eye(4), (3, 1, 1)), ixts=[K] * 3)
        return path / "results.npz", depth
    if case in ("moge", "moge 2"):
        normalised, mask = np.diag([1 / W, 1 / H, 1]) @ K, np.ones((H, W), bool)
        for i, each in enumerate(depth):
            extra = {"normal": np.zeros((H, W, 3))} if case == "moge 2" else {}
            np.savez(path / f"{i:03d}.npz", points=np.zeros((H, W, 3)), depth=each, mask=mask, intrinsics=normalised, **extra)
        return path, depth
    if case == "unidepth":
        for i, each in enumerate(depth):
            np.savez(path / f"f{i}.npz", depth=each[None, None], points=np.zeros((1, 3, H, W)), intrinsics=K[None])
        return path, depth
    import torch

    if case == "vggt npz":
        np.savez(path / "p.npz", depth=depth[..., None], depth_conf=depth, intrinsic=[K] * 3, images=np.zeros((3, 3, H, W)))
        return path / "p.npz", depth
    values = {"depth": depth[None, ..., None], "depth_conf": depth[None], "intrinsic": np.stack([K] * 3)[None]}
    tensors = {key: torch.tensor(value) for key, value in values.items()} | {"pose_enc": torch.zeros(1, 3, 9)}
    torch.save(tensors, path / "p.pt", _use_new_zipfile_serialization=case != "vggt old pt")
    return path / "p.pt", depth


MEANING = {
    "v2 relative": ("depth-anything-v2", "disparity", False), "v2 metric": ("depth-anything-v2-metric", "depth", True),
    "depth alone": ("metric-depth", "depth", True), "video depth anything": ("video-depth-anything", "disparity", False),
    "v3": ("depth-anything-3", "depth", False), "v3 short names": ("depth-anything-3", "depth", False),
    "moge": ("moge", "depth", False), "moge 2": ("moge-2", "depth", True), "unidepth": ("unidepth", "depth", True),
    "vggt npz": ("vggt", "depth", False), "vggt pt": ("vggt", "depth", False),
    "vggt old pt": ("vggt", "depth", False),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANING)
def test_round_trip_of_every_producer(tmp_path, case):
    """Law: what the producer wrote is what comes back, with the right meaning, frames and intrinsics."""
    path, expected = _write(tmp_path, case)
    maps = _read(path, frames=3)
    assert (maps.source, maps.kind, maps.metric) == MEANING[case]
    assert maps.frame.tolist() == [0, 1, 2]
    assert not maps.per_frame_affine
    _assert_same(maps, expected)
    if case.startswith(("v3", "moge", "unidepth", "vggt")):
        np.testing.assert_allclose(maps.K, K)
    else:
        assert maps.K is None


@pytest.mark.parametrize(("encoding", "scale"), [("plain", 1000.0), ("plain", 5000.0), ("sun", 1000.0), ("nyu", 1000.0)])
def test_depth_camera_pictures_come_back_as_metres(tmp_path, encoding, scale):
    """Law: encoding a depth as the camera does and reading it gives the depth back within one step of the encoding."""
    depth = _depth()
    if encoding == "plain":
        raw, step = np.round(depth * scale), 1 / scale
    elif encoding == "sun":
        mm, step = np.round(depth * 1000).astype(np.uint16), 1e-3
        raw = (mm << 3) | (mm >> 13)
    else:
        raw, step = np.round(1092.5 - 351.3 / depth).astype(np.uint16).byteswap(), 36 / 351.3
    for i, each in enumerate(raw.astype(np.uint16)):
        cv2.imwrite(str(tmp_path / f"{i:05d}.png"), each)
    maps = _read(tmp_path, encoding=encoding, depth_scale=scale)
    assert (maps.source, maps.kind, maps.metric) == ("depth-camera", "depth", True)
    for index, want in enumerate(depth):
        np.testing.assert_allclose(maps.load(index)[0], want, atol=step)


def test_real_depth_camera_files():
    """Law: a folder of a camera's pictures gives exactly what reading each picture gives."""
    folder = require("rgbd") / "open3d"
    maps = read_depth_maps(folder / "depth", width=640, height=480)
    assert maps.frame.tolist() == [0, 1, 2, 3, 4]
    assert maps.metric
    for index, path in enumerate(sorted((folder / "depth").glob("*.png"))):
        values, valid = maps.load(index)
        np.testing.assert_array_equal(values, read_depth(path))
        np.testing.assert_array_equal(valid, values > 0)
        assert 0.5 < valid.mean() < 1
    for name, encoding, scale in (
        ("TUM_depth.png", "plain", 5000.0), ("NYU_depth.pgm", "nyu", 1000.0), ("SUN_depth.png", "sun", 1000.0),
    ):  # fmt: skip
        path = folder / "other_formats" / name
        expected = read_depth(path, encoding=encoding, scale=scale)
        h, w = expected.shape
        single = read_depth_maps(path, width=w, height=h, encoding=encoding, depth_scale=scale)
        np.testing.assert_array_equal(single.load(0)[0], expected)


def test_stretched_pictures_say_that_every_frame_has_its_own_scale(tmp_path):
    """Law: an 8-bit picture is an affine function of the disparity it was made of, frame by frame."""
    disparity = 20 / _depth()
    for i, each in enumerate(disparity):
        grey = ((each - each.min()) / (each.max() - each.min()) * 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.repeat(grey[..., None], 3, axis=-1))
    maps = _read(tmp_path)
    assert (maps.kind, maps.metric, maps.per_frame_affine) == ("disparity", False, True)
    assert any("frame by frame" in note for note in maps.notes)
    for index, want in enumerate(disparity):
        values, valid = maps.load(index)
        assert np.corrcoef(values[valid], want[valid])[0, 1] > 0.9999
    flipped = _read(tmp_path, kind="depth")
    assert (flipped.kind, flipped.metric, flipped.per_frame_affine) == ("depth", False, True)


def test_sixteen_bit_to_both_ends_is_no_camera(tmp_path):
    disparity = 20 / _depth(1)[0]
    full = ((disparity - disparity.min()) / (disparity.max() - disparity.min()) * 65535).round().astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), full)
    assert _read(tmp_path / "a.png").source == "stretched-disparity"
    cv2.imwrite(str(tmp_path / "b.png"), (disparity * 1000).astype(np.uint16))
    assert _read(tmp_path / "b.png").source == "depth-camera"
    by_hand = _read(tmp_path / "b.png", kind="disparity")
    assert (by_hand.kind, by_hand.metric) == ("disparity", False)
    np.testing.assert_allclose(by_hand.load(0)[0], disparity * 1000, atol=1)


def test_pfm_and_tiff_and_bare_stack(tmp_path):
    disparity = 20 / _depth()
    (tmp_path / "a.pfm").write_bytes(f"Pf\n{W} {H}\n-1.0\n".encode() + disparity[0][::-1].tobytes())
    cv2.imwrite(str(tmp_path / "a.tiff"), disparity[0])
    np.save(tmp_path / "a.npy", disparity)
    _assert_same(_read(tmp_path / "a.pfm"), disparity[:1])
    _assert_same(_read(tmp_path / "a.tiff"), disparity[:1])
    _assert_same(_read(tmp_path / "a.npy"), disparity)


def test_the_callers_word_on_what_the_numbers_are(tmp_path):
    np.save(tmp_path / "a.npy", _depth())
    meanings = {kind: _read(tmp_path / "a.npy", kind=kind) for kind in (None, "disparity", "depth", "metric")}
    assert {kind: (m.kind, m.metric) for kind, m in meanings.items()} == {
        None: ("disparity", False), "disparity": ("disparity", False), "depth": ("depth", False), "metric": ("depth", True),
    }  # fmt: skip
    assert any("bare numbers" in note for note in meanings[None].notes)
    with pytest.raises(ValueError, match=r"unknown kind of depth 'inverse'.*disparity, depth, metric"):
        _read(tmp_path / "a.npy", kind="inverse")


def test_masked_infinite_and_zero_pixels_are_invalid(tmp_path):
    depth, mask = _depth(1)[0], np.ones((H, W), bool)
    depth[:4], depth[4], depth[5], mask[6] = np.inf, np.nan, 0, False
    np.savez(tmp_path / "f000.npz", depth=depth, mask=mask, intrinsics=np.diag([1 / W, 1 / H, 1]) @ K)
    values, valid = _read(tmp_path / "f000.npz").load(0)
    assert not valid[:7].any()
    assert valid[7:].all()
    assert (values[:7] == 0).all()
    np.testing.assert_allclose(values[7:], depth[7:])


def test_frames_are_the_number_that_differs(tmp_path):
    """Law: the order of the files' names does not matter, their numbers do."""
    depth = _depth(11)
    for i in (10, 9, 2):
        np.save(tmp_path / f"Cam3_11.486_frame{i}_v2.npy", 20 / depth[i])
    maps = _read(tmp_path, frames=11)
    assert maps.frame.tolist() == [2, 9, 10]
    _assert_same(maps, 20 / depth[[2, 9, 10]])
    with pytest.raises(ValueError, match=r"frame numbers run from 2 to 10 but the video's from 0 to 9"):
        _read(tmp_path, frames=10)


def test_npz_may_number_its_maps(tmp_path):
    np.savez(tmp_path / "a.npz", depth=_depth(), frame=[5, 40, 90])
    assert _read(tmp_path / "a.npz", frames=100).frame.tolist() == [5, 40, 90]
    np.savez(tmp_path / "a.npz", depth=_depth())
    with pytest.raises(ValueError, match=r"a\.npz: holds 3 unnumbered maps but the video has 100 frames; add an array 'frame'"):
        _read(tmp_path / "a.npz", frames=100)


def test_intrinsics_follow_the_size(tmp_path):
    """Law: a point projects to the same place of the picture before and after resizing."""
    np.savez(tmp_path / "r.npz", depth=_depth(), conf=_depth(), intrinsics=[K] * 3)
    maps = _read(tmp_path / "r.npz", width=2 * W, height=2 * H)
    point = np.array([0.3, -0.2, 2.0])
    small, large = K @ point, maps.K @ point
    np.testing.assert_allclose(large[:2] / large[2], 2 * small[:2] / small[2])
    assert any("resized" in note for note in maps.notes)


def test_resizing_keeps_planes_and_edges():
    """Laws: a plane stays that plane; a step keeps its two depths and hangs nothing between; invalid stays invalid."""
    v, u = np.mgrid[:H, :W] + 0.5
    plane = (3 + 0.01 * u + 0.02 * v).astype(np.float32)
    big, valid = resize_map(plane, plane > 0, width=3 * W, height=3 * H)
    v3, u3 = (np.mgrid[: 3 * H, : 3 * W] + 0.5) / 3
    inner = (slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(big[inner], (3 + 0.01 * u3 + 0.02 * v3)[inner], rtol=1e-5)
    assert valid.all()
    step = np.where(u < 30, 2.0, 5.0).astype(np.float32)
    assert set(np.unique(resize_map(step, step > 0, width=100, height=75)[0])) == {2.0, 5.0}
    holed = np.where((u > 10) & (u < 20), 0, plane).astype(np.float32)
    values, ok = resize_map(holed, holed > 0, width=2 * W, height=2 * H)
    assert ok.mean() == pytest.approx((holed > 0).mean())
    assert values[ok].min() >= 3
    assert (values[~ok] == 0).all()


def test_sizes(tmp_path):
    """Same picture: within 1 % of the aspect ratio, or both sides rounded to a network's patch; anything else is refused."""
    np.savez(tmp_path / "v3.npz", depth=_depth(1, 308, 504), conf=_depth(1, 308, 504))
    assert read_depth_maps(tmp_path / "v3.npz", width=800, height=480).load(0)[0].shape == (480, 800)
    np.savez(tmp_path / "other.npz", depth=_depth(1, 308, 504))
    with pytest.raises(ValueError, match=r"other\.npz: the map is 504x308 but the video is 800x480: another aspect ratio"):
        read_depth_maps(tmp_path / "other.npz", width=800, height=480)
    np.savez(tmp_path / "v3.npz", depth=_depth(1, 378, 504), conf=_depth(1, 378, 504))
    with pytest.raises(ValueError, match="504x378 but the video is 800x480"):
        read_depth_maps(tmp_path / "v3.npz", width=800, height=480)
    np.save(tmp_path / "turned.npy", _depth(1, W, H))
    with pytest.raises(ValueError, match="turned by 90 degrees"):
        _read(tmp_path / "turned.npy")
    cv2.imwrite(str(tmp_path / "beside.png"), np.tile(np.arange(2 * W + 50, dtype=np.uint8), (H, 1)))
    with pytest.raises(ValueError, match="--pred-only"):
        _read(tmp_path / "beside.png")


def test_bad_maps_are_named_when_loaded(tmp_path):
    depth = _depth(5)
    depth[1] = 3.0
    depth[2, 7, 7] = -0.25
    depth[3] = np.nan
    np.savez(tmp_path / "a.npz", depth=depth)
    maps = _read(tmp_path / "a.npz")
    maps.load(0)
    maps.load(4)
    for index, words in ((1, "a constant map"), (2, r"negative depth \(-0\.25\)"), (3, "no pixel has a value")):
        with pytest.raises(ValueError, match=rf"a\.npz: frame {index}: {words}"):
            maps.load(index)
    np.savez(tmp_path / "first.npz", depth=depth[[1, 0, 4]])
    assert len(_read(tmp_path / "first.npz")) == 3
    np.savez(tmp_path / "all.npz", depth=depth[[2, 1, 3]])
    with pytest.raises(ValueError, match=r"all\.npz: frame 0: negative depth .* if bigger means nearer give kind='disparity'"):
        _read(tmp_path / "all.npz")
    np.savez(tmp_path / "mm.npz", depth=_depth() * 1000)
    with pytest.raises(ValueError, match="if the file holds millimetres divide by 1000"):
        _read(tmp_path / "mm.npz")


class _Evil:
    def __reduce__(self):
        return (print, ("ran",))


def _bad(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "bad"
    if case == "empty":
        path.write_bytes(b"")
    elif case == "text":
        path.write_text("not depth at all")
    elif case == "cut npz":
        np.savez(path.with_suffix(".npz"), depth=_depth())
        path.write_bytes(path.with_suffix(".npz").read_bytes()[:-400])
    elif case == "pickle npy":
        np.save(path.with_suffix(".npy"), np.array([{"a": 1}]), allow_pickle=True)
        return path.with_suffix(".npy")
    elif case == "pickle torch":
        import torch

        torch.save({"depth": _Evil()}, path)
    elif case == "wrong keys":
        np.savez(path.with_suffix(".npz"), poses=np.zeros((3, 72)))
        return path.with_suffix(".npz")
    elif case == "wrong shape":
        np.savez(path.with_suffix(".npz"), depth=np.zeros((3, 4, 5, 6)))
        return path.with_suffix(".npz")
    elif case == "bad K":
        np.savez(path.with_suffix(".npz"), depth=_depth(), conf=_depth(), intrinsics=np.zeros((3, 3, 3)) + 5 * np.eye(3)[2])
        return path.with_suffix(".npz")
    elif case == "bad mask":
        np.savez(path.with_suffix(".npz"), depth=_depth(), mask=np.ones((2, 2)))
        return path.with_suffix(".npz")
    elif case == "colours":
        cv2.imwrite(str(path.with_suffix(".png")), np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8))
        return path.with_suffix(".png")
    elif case == "exr":
        path.write_bytes(b"\x76\x2f\x31\x01" + bytes(60))
    return path


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("absent", "no such file"), ("empty", "is empty"), ("text", "none of npz, npy, torch, PNG"),
        ("cut npz", "damaged archive"), ("pickle npy", "not a readable .npy of numbers"),
        ("pickle torch", "not a torch file of plain tensors"), ("wrong keys", r"no known depth format.*'poses': \(3, 72\)"),
        ("wrong shape", r"field depth: expected maps .* found shape \(3, 4, 5, 6\)"), ("exr", "OpenEXR is not read"),
        ("bad K", "field intrinsics: no camera"), ("bad mask", r"field mask: expected 3x48x64 .* found shape \(2, 2\)"),
        ("colours", "a coloured picture"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_name(tmp_path, capsys, case, message):
    path = _bad(tmp_path, case)
    with pytest.raises(ValueError, match=message) as error:
        _read(path)
    assert str(error.value).startswith(str(path))
    assert "ran" not in capsys.readouterr().out


def test_bad_folders_and_options(tmp_path):
    with pytest.raises(ValueError, match="no depth maps in this folder"):
        _read(tmp_path)
    (tmp_path / "exports").mkdir()
    np.savez(tmp_path / "exports" / "results.npz", depth=_depth())
    with pytest.raises(ValueError, match=r"there is exports/results\.npz further down"):
        _read(tmp_path)
    for name in ("first", "second", "third"):
        np.save(tmp_path / f"{name}.npy", 20 / _depth(1)[0] + np.float32(len(name)))
    with pytest.raises(ValueError, match="3 files without a number in their names but the video has 9 frames"):
        _read(tmp_path, frames=9)
    assert _read(tmp_path, frames=3).frame.tolist() == [0, 1, 2]
    np.save(tmp_path / "frame_7.npy", 20 / _depth(1)[0])
    with pytest.raises(ValueError, match="not of one pattern"):
        _read(tmp_path)
    with pytest.raises(ValueError, match="unknown depth encoding 'kinect'"):
        _read(tmp_path, encoding="kinect")
    with pytest.raises(ValueError, match="depth scale must be positive"):
        _read(tmp_path, depth_scale=0.0)


def test_one_producer_a_folder(tmp_path):
    np.savez(tmp_path / "0.npz", depth=_depth(1))
    np.savez(tmp_path / "1.npz", disparity=_depth(1))
    np.savez(tmp_path / "2.npz", depth=_depth(2))
    maps = _read(tmp_path)
    with pytest.raises(ValueError, match=r"1\.npz: holds disparity but .*0\.npz holds metric-depth"):
        maps.load(1)
    with pytest.raises(ValueError, match=r"2\.npz: holds 2 maps"):
        maps.load(2)


def test_memory_stays_flat(tmp_path):
    """Law: the memory needed does not grow with the number of maps."""
    import tracemalloc

    np.savez_compressed(tmp_path / "a.npz", depths=np.tile(20 / _depth(1, 240, 320), (120, 1, 1)))
    maps = _read(tmp_path / "a.npz", width=320, height=240)
    tracemalloc.start()
    for index in range(len(maps)):
        maps.load(index)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 320 * 240 * 4 < 120 * 320 * 240 * 4
