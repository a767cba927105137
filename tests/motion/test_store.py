"""The motion store and the import into it: what goes in comes out, only vouched-for files count, bad files are counted."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from augment.commands.motions_import import MotionsImport
from augment.motion.importing import Overrides, import_motions
from augment.motion.library.scripted.act import make_action
from augment.motion.store import INDEX, JOURNAL, StoreWriter, read_store
from augment.sources.mocap.amass import save_amass
from augment.types import Segment
from tests.make.mocap import foreign_amass, smplh, some_motion, turns
from tests.make.realdata import require


def fill(folder, names=("a", "b", "c")):
    with StoreWriter(folder) as store:
        for seed, name in enumerate(names):
            store.add(replace(some_motion(seed=seed), name=name))


def test_what_goes_in_comes_out(tmp_path):
    fill(tmp_path)
    store = read_store(tmp_path)
    assert len(store) == 3
    assert [row["name"] for row in store.rows] == ["a", "b", "c"]
    for seed, motion in enumerate(store):
        wanted = some_motion(seed=seed)
        np.testing.assert_allclose(turns(motion.body_pose), turns(wanted.body_pose), atol=1e-5)
        np.testing.assert_allclose(motion.transl, wanted.transl, atol=1e-5)
        assert motion.segments == wanted.segments
    row = store.rows[0]
    assert row["file"] == "a.npz"
    assert (row["action"], row["licence"], row["source"], row["subject"]) == ("sit_down", "CC0-1.0", "test", "s1")
    assert (row["frames"], row["fps"], row["support"], row["support_height"]) == (30, 20.0, "chair", 0.45)
    assert row["segments"][1] == {"label": "sitting", "start_sec": 1.0, "end_sec": 1.5}


def test_others_can_read_the_files_as_amass(tmp_path):
    fill(tmp_path)
    arrays = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert arrays["poses"].shape == (30, 156)
    assert arrays["trans"].shape == (30, 3)
    assert arrays["betas"].shape == (16,)
    assert float(arrays["mocap_framerate"]) == 20
    assert str(arrays["gender"]) == "neutral"


def test_the_same_motions_give_the_same_store(tmp_path):
    fill(tmp_path / "one", ("a", "b"))
    fill(tmp_path / "two", ("a", "b"))
    for name in ("a.npz", "b.npz", INDEX):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a.npz", "b.npz", INDEX]


@pytest.mark.parametrize("motions", [None, {}, [3], [{"name": "a"}]])
def test_a_malformed_index_is_named(tmp_path, motions):
    fill(tmp_path)
    path = tmp_path / INDEX
    path.write_text(json.dumps(json.loads(path.read_text()) | {"motions": motions}))
    with pytest.raises(ValueError, match=r"index\.json: field motions: expected a list of rows"):
        read_store(tmp_path)


def test_a_killed_writer_loses_only_what_no_digest_vouches_for(tmp_path):
    store = StoreWriter(tmp_path)
    for name in ("a", "b"):
        store.add(replace(some_motion(), name=name))
    # Killed here: no index; the last journal line is torn, and a file was cut short.
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"name": "torn')
    data = (tmp_path / "b.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(data[: len(data) // 2])
    with StoreWriter(tmp_path) as resumed:
        assert list(resumed.rows) == ["a"]
        resumed.add(replace(some_motion(), name="c"))
    assert [row["name"] for row in read_store(tmp_path).rows] == ["a", "c"]
    assert not (tmp_path / JOURNAL).exists()


def test_an_error_in_the_block_still_leaves_a_readable_store(tmp_path):
    def interrupted():
        with StoreWriter(tmp_path) as store:
            store.add(replace(some_motion(), name="kept"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read_store(tmp_path)) == 1


def test_a_changed_or_missing_file_is_noticed(tmp_path):
    fill(tmp_path)
    shutil.copy(tmp_path / "b.npz", tmp_path / "a.npz")
    (tmp_path / "c.npz").unlink()
    store = read_store(tmp_path)
    with pytest.raises(ValueError, match=r"a\.npz: differs from the digest"):
        store[0]
    with pytest.raises(ValueError, match=r"c\.npz: listed in index\.json but missing"):
        store[2]


def test_an_action_of_ones_own_keeps_its_frame_label_also_from_store_to_store(tmp_path, body):
    segments = tuple(
        Segment(label=label, start_sec=at, end_sec=at + 0.75) for label, at in (("walk", 0.0), ("roaming about", 0.75))
    )
    own = replace(some_motion(), action="wander", label="roaming about", segments=segments, caption="")
    with StoreWriter(tmp_path / "one") as store:
        store.add(own)
    assert (store.rows["sit_1"]["action"], store.rows["sit_1"]["label"]) == ("wander", "roaming about")
    import_motions((tmp_path / "one",), tmp_path / "two")
    for folder in ("one", "two"):
        (motion,) = read_store(tmp_path / folder)
        assert (motion.action, motion.label, motion.segments) == ("wander", "roaming about", segments)
    assert "label" not in _rows_of(tmp_path / "table")[0]  # what the table says is not said again


def _rows_of(folder):
    fill(folder, ("a",))
    return read_store(folder).rows


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a motion store with index\.json, found none"):
        read_store(tmp_path)
    for text, message in (("[1, 2", "not JSON"), ('{"format": "other"}', "expected format 'understudy-motions-1'")):
        (tmp_path / INDEX).write_text(text)
        with pytest.raises(ValueError, match=message):
            read_store(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "field name: expected letters, digits"),
        ({"name": "../up"}, "field name"),
        ({"action": "fly", "segments": ()}, "action 'fly': an action of your own needs a frame label"),
        ({"action": "fly away"}, "action 'fly away': expected letters"),
        ({"label": "a:b"}, "frame label 'a:b'"),
        ({"transl": np.full((30, 3), np.nan, np.float32)}, "field transl: expected finite"),
        ({"transl": np.zeros((29, 3), np.float32)}, r"field global_orient: expected shape \(29, 3\), found \(30, 3\)"),
    ],
)
def test_unfit_motions_are_refused(tmp_path, changes, message):
    motion = some_motion()
    for field, value in changes.items():
        object.__setattr__(motion, field, value)  # replace() would already refuse some of it
    with pytest.raises(ValueError, match=message):
        StoreWriter(tmp_path).add(motion)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def mixed_folder(tmp_path):
    """Two good AMASS files, one of our own, and five bad ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    upright = np.zeros((60, 156))
    upright[:, 0] = np.pi / 2
    standing = np.tile([0.0, 0.0, 1.2], (60, 1))
    for name, fps in (("walk_slowly", 120.0), ("thing", 60.0)):
        np.savez(folder / f"{name}.npz", **smplh(60, poses=upright, trans=standing, mocap_framerate=fps))
    with (folder / "ours.npz").open("wb") as stream:
        save_amass(stream, some_motion())
    np.savez(folder / "nan.npz", **smplh(60, trans=np.full((60, 3), np.nan)))
    np.savez(folder / "shape.npz", **smplh(60, poses=np.zeros((60, 72))))
    np.savez(folder / "short.npz", **smplh(3))
    (folder / "torn.npz").write_bytes((folder / "thing.npz").read_bytes()[:400])
    (folder / "half.bvh").write_text("HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\n")
    return folder


def test_bad_files_are_counted_with_reasons_and_the_run_goes_on(mixed_folder, tmp_path, body, capsys):
    MotionsImport(sources=(mixed_folder,), out=tmp_path / "store", licence="CC0-1.0").run()
    store = read_store(tmp_path / "store")
    assert {row["name"]: row["action"] for row in store.rows} == {"ours": "sit_down", "thing": "other", "walk_slowly": "walk"}
    assert {row["fps"] for row in store.rows} == {20.0}
    assert {row["licence"] for row in store.rows} == {"CC0-1.0"}
    report = json.loads((tmp_path / "store" / "retarget_report.json").read_text())
    assert sorted(report["rejected"]) == ["half", "nan", "shape", "short", "torn"]
    assert "field trans: expected finite numbers" in report["rejected"]["nan"]
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith("store: 3 motions (3 new), 5 rejected")
    assert sum(line.startswith("rejected 1: ") for line in printed) == 5


def test_segments_cover_the_imported_motion(mixed_folder, tmp_path, body):
    import_motions((mixed_folder,), tmp_path / "store")
    motion = next(each for each in read_store(tmp_path / "store") if each.name == "walk_slowly")
    assert [(each.label, each.start_sec) for each in motion.segments] == [("walk", 0.0)]
    assert motion.segments[0].end_sec == pytest.approx(motion.seconds)


def test_importing_again_does_nothing_and_other_options_redo(mixed_folder, tmp_path, body):
    out = tmp_path / "store"
    assert import_motions((mixed_folder,), out).added == 3
    before = (out / INDEX).read_bytes()
    assert import_motions((mixed_folder,), out).added == 0
    assert (out / INDEX).read_bytes() == before
    again = import_motions((mixed_folder,), out, fps=10.0, overrides=Overrides(action="stand", source="lab"))
    assert again.added == 3
    assert {(row["fps"], row["action"], row["source"]) for row in read_store(out).rows} == {(10.0, "stand", "lab")}


def test_what_other_code_imported_is_imported_again(mixed_folder, tmp_path, body):
    out = tmp_path / "store"
    import_motions((mixed_folder,), out)
    before, report = (out / INDEX).read_bytes(), json.loads((out / "retarget_report.json").read_text())
    (out / "retarget_report.json").write_text(json.dumps(report | {"code_sha256": "of other code"}))
    assert import_motions((mixed_folder,), out).added == 3
    assert (out / INDEX).read_bytes() == before
    assert json.loads((out / "retarget_report.json").read_text()) == report
    assert import_motions((mixed_folder,), out).added == 0


def test_an_import_names_an_action_of_ones_own(mixed_folder, tmp_path, body):
    MotionsImport(
        sources=(mixed_folder,), out=tmp_path / "store", action="wander", label="roaming", caption="{who} wanders about."
    ).run()
    for motion in read_store(tmp_path / "store"):
        assert (motion.action, motion.label, motion.caption) == ("wander", "roaming", "A person wanders about.")
        assert [(s.label, s.start_sec) for s in motion.segments] == [("roaming", 0.0)]


def test_an_import_finds_what_a_recording_was_made_on_or_takes_what_is_said(tmp_path, body):
    sits = make_action("sit", rng=np.random.default_rng(3), body=body, seconds=3.0)
    np.savez(tmp_path / "sits.npz", **foreign_amass(sits, body.rest_joints(sits.betas)[0]))
    options: dict[Literal["auto", "floor"], str] = {"auto": "chair", "floor": "floor"}
    for support, found in options.items():
        MotionsImport(sources=(tmp_path / "sits.npz",), out=tmp_path / support, support=support).run()
        (row,) = read_store(tmp_path / support).rows
        assert row["support"] == found
    assert read_store(tmp_path / "auto").rows[0]["support_height"] == pytest.approx(sits.support_height, abs=0.08)
    with pytest.raises(ValueError, match="support bed: nobody rests as on a bed"):
        MotionsImport(sources=(tmp_path / "sits.npz",), out=tmp_path / "bed", support="bed").run()


def test_an_import_under_an_own_action_is_not_described_by_its_files_name(mixed_folder, tmp_path, body):
    import_motions((mixed_folder,), tmp_path / "store", overrides=Overrides(action="wander", label="other"))
    captions = {motion.name: motion.caption for motion in read_store(tmp_path / "store")}
    assert captions["walk_slowly"] == "A person performs the action wander."
    assert captions["ours"] == "A person sits down."  # its own sentence


def test_a_store_imports_into_another_unchanged(mixed_folder, tmp_path, body):
    import_motions((mixed_folder,), tmp_path / "one")
    import_motions((tmp_path / "one",), tmp_path / "two")
    for first, second in zip(read_store(tmp_path / "one"), read_store(tmp_path / "two"), strict=True):
        np.testing.assert_allclose(second.body_pose, first.body_pose, atol=1e-5)
        np.testing.assert_allclose(second.transl, first.transl, atol=1e-5)
        assert (second.segments, second.source, second.action) == (first.segments, first.source, first.action)


def test_archives_give_the_same_as_their_folder(mixed_folder, tmp_path, body):
    import_motions((mixed_folder,), tmp_path / "plain")
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as archive:
        archive.add(mixed_folder, "all")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in mixed_folder.iterdir():
            archive.write(path, path.name)
    for name in ("all.tar.xz", "all.zip"):
        import_motions((tmp_path / name,), tmp_path / f"from-{name}")
        assert (tmp_path / f"from-{name}" / INDEX).read_bytes() == (tmp_path / "plain" / INDEX).read_bytes()


def test_files_of_the_same_name_do_not_overwrite_each_other(mixed_folder, tmp_path, body):
    (mixed_folder / "more").mkdir()
    shutil.copy(mixed_folder / "thing.npz", mixed_folder / "more" / "thing.npz")
    summary = import_motions((mixed_folder,), tmp_path / "store")
    assert "same name" in summary.rejected["thing"]


def test_hopeless_sources_are_errors(tmp_path, body):
    with pytest.raises(ValueError, match="there is nothing"):
        import_motions((tmp_path / "absent",), tmp_path / "store")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="notes: field Frames"):
        import_motions((tmp_path / "notes.txt",), tmp_path / "store")
    (tmp_path / "bad.tar.xz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="expected a whole tar archive"):
        import_motions((tmp_path / "bad.tar.xz",), tmp_path / "store")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no motion file"):
        import_motions((empty,), tmp_path / "store")
    with pytest.raises(ValueError, match=r"action 'fly' is none of ours, .* needs a frame label, such as --label other"):
        import_motions((empty,), tmp_path / "store", overrides=Overrides(action="fly"))


def test_real_cmu_files_take_labels_from_their_index(tmp_path, body):
    summary = import_motions((require("mocap/cmu_bvh"),), tmp_path)
    rows = {row["name"]: row for row in read_store(tmp_path).rows}
    assert len(rows) == 8
    assert (rows["002_01"]["action"], rows["002_03"]["action"], rows["005_05"]["action"]) == ("walk", "run", "dance")
    assert rows["005_05"]["subject"] == "cmu-5"
    assert summary.overall["median_direction_error_deg"] < 5
    assert summary.overall["skate_result"] <= summary.overall["skate_source"]
    assert summary.overall["files_skating_more_than_source"] == 0


def test_real_bandai_names_become_actions_and_styles(tmp_path, body):
    wanted, buffer = 12, io.BytesIO()
    with (
        tarfile.open(require("mocap/bandai_bvh.tar.xz"), "r|*") as archive,
        tarfile.open(fileobj=buffer, mode="w") as some,
    ):
        for member in archive:
            if member.name.endswith(".bvh"):
                some.addfile(member, archive.extractfile(member))
                wanted -= 1
            if not wanted:
                break
    (tmp_path / "some.tar").write_bytes(buffer.getvalue())
    summary = import_motions((tmp_path / "some.tar",), tmp_path / "store")
    assert (summary.added, summary.rejected) == (12, {})
    for motion in read_store(tmp_path / "store"):
        assert motion.licence == "CC-BY-NC-4.0"
        assert motion.action != "other"
        assert motion.provenance["style"] in motion.name
