"""Whom a video is about: who moves most, wherever they stand in the file; else a line says who else may be meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.files import canonical_json
from augment.sources.people.keypoints import read_keypoints
from recognition.csv_table import read_csv
from recognition.inputs.keypoints import person_doubts, person_points
from recognition.inputs.who import choose, moved
from recognition.recordings import Place, Recording
from tests.make.realdata import require
from tests.make.videos import recording

FPS, FRAMES = 10.0, 60
UPRIGHT = np.stack([np.tile([0.0, 1.0, -1.0], 6)[:17] * 8, np.linspace(-100, 0, 17)], axis=1)
LYING = UPRIGHT[:, ::-1]


def standing(x: float, *, rng: np.random.Generator) -> np.ndarray:
    """Somebody who stands at a place, with a detector's jitter of 1 % of their length. Shape (60, 17, 2), pixels."""
    return UPRIGHT + [x, 300] + rng.normal(size=(FRAMES, 17, 2))


def falling(x: float, *, rng: np.random.Generator) -> np.ndarray:
    """Somebody who stands, falls in the third second, and lies."""
    share = np.clip(np.arange(FRAMES) / FPS - 2, 0, 1)[:, None, None]
    return standing(x, rng=rng) + share * (LYING - UPRIGHT)


def walking(*, rng: np.random.Generator) -> np.ndarray:
    """Somebody who walks through the picture, five lengths far."""
    return standing(60, rng=rng) + np.linspace(0, 500, FRAMES)[:, None, None] * [1, 0]


def write(path: Path, *people: tuple[np.ndarray, list[int], slice], mixed: bool = False) -> Recording:
    """COCO's results of people (points, ids for each third of the frames, frames where they are found), as a recording."""
    rows = []
    for frame in range(FRAMES):
        here = [
            {"image_id": frame, "track_id": ids[frame * 3 // FRAMES], "score": 0.9,
             "keypoints": np.append(points[frame], np.ones((17, 1)), axis=1).reshape(-1).tolist()}
            for points, ids, found in people if frame in range(*found.indices(FRAMES))
        ]  # fmt: skip
        rows += here[::-1] if mixed and frame % 2 else here
    path.write_bytes(canonical_json(rows))
    return recording("v", fps=FPS, frames=FRAMES, keypoints=Place(path=path))


ALWAYS = slice(None)


@pytest.mark.parametrize("ids", [([1] * 3, [2] * 3), ([2] * 3, [1] * 3), ([-1] * 3, [-1] * 3), ([1] * 3, [2, 2, 7])])
@pytest.mark.parametrize("swapped", [False, True])
def test_who_falls_is_taken_and_not_who_stands_by(tmp_path, ids, swapped):
    """Law: the choice depends neither on ids nor on order; an id that changes when they lie down is the same person."""
    rng = np.random.default_rng(0)
    faller, bystander = falling(400, rng=rng), standing(120, rng=rng)
    people = [(bystander, ids[0], ALWAYS), (faller, ids[1], ALWAYS)]
    video = write(tmp_path / "k.json", *(people[::-1] if swapped else people), mixed=ids[0][0] < 0)
    np.testing.assert_allclose(person_points(video)[..., :2], faller, atol=1e-3)
    assert person_doubts([video]) == []


def test_movement_is_counted_in_body_lengths_and_jitter_is_not(tmp_path):
    """Laws: a smaller picture changes nothing; who stands has not moved; a way is as long as it is, however slow the film."""
    rng, seconds = np.random.default_rng(1), np.arange(FRAMES) / FPS
    sure = np.ones((FRAMES, 17, 1))
    walk, stand = (np.append(p, sure, axis=2) for p in (walking(rng=rng), standing(9, rng=rng)))
    assert moved(stand, seconds) == 0
    assert moved(walk, seconds) == pytest.approx(5, rel=0.1)
    assert moved(walk * [0.3, 0.3, 1], seconds) == pytest.approx(moved(walk, seconds))
    assert moved(walk, 3 * seconds) == pytest.approx(5, rel=0.1)


def test_a_visitor_who_walks_by_is_taken_with_a_doubt_and_the_table_can_say_better(tmp_path):
    rng = np.random.default_rng(2)
    patient = standing(300, rng=rng) - UPRIGHT + LYING
    video = write(tmp_path / "k.json", (patient, [4] * 3, ALWAYS), (walking(rng=rng), [9] * 3, slice(20, 50)))
    (doubt,) = person_doubts([video])
    assert "v: k.json: person 9 (" in doubt
    assert "may be meant: 4 (0.0 body lengths moved, seen 6.0 s); name one of them in the column `person`" in doubt
    table = tmp_path / "labels.csv"
    table.write_text(f"video,keypoints,person,fps,frames,segments\nv,k.json,4,{FPS},{FRAMES},lying:0-6\n")
    (named,) = read_csv(table)
    np.testing.assert_allclose(person_points(named)[..., :2], patient, atol=1e-3)
    assert person_doubts([named]) == []


@pytest.mark.parametrize(
    ("number", "message"), [("7", "has the number 7; there are: 4, 9"), ("x", "person: expected the number")]
)
def test_a_person_who_is_not_there_is_told(tmp_path, number, message):
    rng = np.random.default_rng(3)
    write(tmp_path / "k.json", (standing(300, rng=rng), [4] * 3, ALWAYS), (falling(100, rng=rng), [9] * 3, ALWAYS))
    (tmp_path / "labels.csv").write_text(f"video,keypoints,person,fps,frames,segments\nv,k.json,{number},10,60,lying:0-6\n")
    with pytest.raises(ValueError, match=message):
        person_points(read_csv(tmp_path / "labels.csv")[0])


def test_of_people_who_keep_still_the_one_seen_longest_is_taken(tmp_path):
    rng = np.random.default_rng(4)
    longer, shorter = standing(100, rng=rng), standing(400, rng=rng)
    video = write(tmp_path / "k.json", (shorter, [1] * 3, slice(0, 30)), (longer, [2] * 3, ALWAYS))
    np.testing.assert_allclose(person_points(video)[..., :2], longer, atol=1e-3)


def test_two_who_move_alike_are_told(tmp_path):
    rng = np.random.default_rng(5)
    video = write(tmp_path / "k.json", (falling(100, rng=rng), [1] * 3, ALWAYS), (falling(450, rng=rng), [2] * 3, ALWAYS))
    (doubt,) = person_doubts([video])
    assert {"1", "2"} == {doubt.split("person ")[1][0], doubt.split("may be meant: ")[1][0]}


def test_upfalls_bystander_is_not_taken_for_the_person_who_falls():
    """Where the detector turns from the person who falls to somebody who sits there, the first counts; the others are one."""
    for video in read_csv(require("upfall") / "labels.csv"):
        assert video.keypoints is not None
        people = read_keypoints(video.keypoints.path)
        chosen, doubt = choose(people, fps=video.fps, frames=video.frames)
        if "a04_t1_c2" in video.name:
            assert chosen.frame.max() < 19  # in the 19th frame the detector jumps
            assert doubt
        else:
            assert len(chosen) == len(people)
            assert not doubt
