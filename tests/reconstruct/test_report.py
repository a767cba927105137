"""Laws of the report: it needs nothing outside itself, believes no name, says what the data say, and always comes out."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from augment import geometry
from augment.body.model import load_body, pose_body
from augment.body.shapes import betas_from_phenotype
from augment.motion.library.scripted.act import make_action
from augment.polygon import polygon_area
from augment.raster.zbuffer import CompiledRasterizer
from augment.reconstruct.people import Reconstruction
from augment.reconstruct.report import page as page_module
from augment.reconstruct.report.overlay import BRIDGED, OBSERVED, REJECTED, states_of
from augment.reconstruct.report.page import choose_clips, write_report
from augment.reconstruct.report.pictures import seen_floor
from augment.reconstruct.report.skin import coarse_vertices, joint_transforms, make_skin, pose_skin
from augment.reconstruct.report.summary import plane_tilt, summarize
from augment.reconstruct.report.verdict import checks, overall
from augment.reconstruct.report.view3d import MAX_MESH_VERTICES, pack, pack_view, thin_mesh
from augment.shards.video_codec import decode_video, encode_video
from augment.types import SceneMesh
from tests.make.recoveries import recover
from tests.make.rooms import room

FPS, COUNT = 12.0, 18
BODY = load_body()


def walker(seed: int = 0, x: float = 0.0):
    rng = np.random.default_rng(seed)
    betas = betas_from_phenotype(BODY, height_m=1.7)
    motion = make_action("walk", rng=rng, body=BODY, betas=betas, fps=FPS, seconds=COUNT / FPS)
    cut = {name: getattr(motion, name)[:COUNT] for name in ("global_orient", "body_pose", "transl")}
    return replace(motion, **{**cut, "transl": cut["transl"] + [x, 0.0, -0.8]})


def video(path: Path, frames: int = COUNT) -> Path:
    plate = room().plate
    pictures = np.stack([np.roll(plate, i, axis=1) for i in range(frames)])
    path.write_bytes(encode_video(pictures, fps=FPS))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Reconstruction:
    """Two clips, two people in the first, one in the second; a gap and a rejected stretch."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(5)
    camera = room().camera
    people = (
        recover(walker(1), camera, BODY, video=0, track=0, rng=rng, gap=(4, 8), rejected=((10, 13, "knees bend backward"),)),
        recover(walker(2, 0.6), camera, BODY, video=0, track=3, rng=rng, person_class="staff"),
        recover(walker(3), camera, BODY, video=1, track=0, rng=rng, layout=""),
    )
    scene = replace(room(), provenance={
        "guessed": ["lights", "camera focal"],
        "camera": {"std": {"focal": 0.1, "height": 0.05, "pitch": 0.02, "roll": 0.01}, "observed": True},
    })  # fmt: skip
    return Reconstruction(
        scene=scene, videos=(video(folder / "a.mp4"), video(folder / "b.mp4")), people=people,
        depth={"source": "depth.npz", "inlier_ratio": 0.81, "residual": 0.017, "frames_agreed": 7, "frames": 8,
               "per_frame": np.ones((40, 2)), "worst": float("nan")},
        rejections={"too few keypoints": 12}, seconds={"fit": 1.25},
    )  # fmt: skip


def report(reconstruction: Reconstruction, folder: Path, **options) -> tuple[str, dict]:
    path = write_report(reconstruction, folder, body=BODY, rasterizer=CompiledRasterizer(), overlay_height=64, **options)
    assert path == folder / "report.html"
    return path.read_text(), json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    return report(made, tmp_path_factory.mktemp("report"))


class Page(HTMLParser):
    """Collects tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "input", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words += data

    def row(self, start: str) -> str:
        return " ".join(self.words[self.words.index(start) :].split())


def test_nothing_outside_is_needed(written):
    html, _ = written
    page = Page(html)
    assert not page.open  # every tag is closed
    for tag, attributes in page.tags:
        for name in ("src", "href", "poster", "data", "action", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, name)
        assert tag not in ("link", "iframe", "object", "base")
    outside_data = re.sub(r'"data": ?"[^"]*"|base64,[^"]*', "", html)
    assert not re.search(r"https?://|@import|url\(|\bimport\(|fetch\(|XMLHttpRequest|importScripts", outside_data)


def test_every_picture_has_words_and_every_link_an_end(written):
    page = Page(written[0])
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag in ("video", "canvas"))
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {attributes["href"][1:] for tag, attributes in page.tags if tag == "a"} <= targets
    # What the viewer looks up is there.
    viewer = (Path(page_module.__file__).parent / "viewer.js").read_text()
    assert set(re.findall(r'\$\("([\w-]+)"\)', viewer)) - {"show-"} <= targets | {"view3d-data"}


def test_figures_are_those_of_the_data(written, made):
    html, told = written
    first, second, _ = made.people
    trusted = np.ones(COUNT, bool)
    trusted[4:8] = trusted[10:13] = False
    person = told["people"][0]
    assert person["reprojection_px"] == pytest.approx(np.median(first.reprojection_px[trusted]))
    assert person["seconds_bridged"] == pytest.approx(4 / FPS)
    assert person["seconds_rejected"] == pytest.approx(3 / FPS)
    assert person["seconds_trusted"] == pytest.approx(11 / FPS)
    assert told["people"][2]["reprojection_px"] is None  # no keypoints
    assert told["totals"]["height_m_spread"] == pytest.approx(np.ptp([p.height_m for p in made.people]))
    # z of the pelvis gives the size in the picture, by similar triangles.
    camera = made.scene.camera
    z = ((second.joints[:, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3])[:, 2]
    share = np.median(second.reprojection_px * z / camera.K[1, 1] / second.height_m)
    assert told["people"][1]["reprojection_share"] == pytest.approx(share)
    assert told["depth"]["inlier_ratio"] == 0.81
    assert told["depth"]["worst"] is None
    assert told["depth"]["per_frame"] == "array 40x2"
    page = Page(html)
    assert f"{told['totals']['reprojection_px']:.1f} px" in page.row("Reprojection error")
    assert page.row("Depth agrees with bodies").startswith("Depth agrees with bodies81 % of")
    assert "7 of 8" in page.row("Frames that agree")
    assert "knees bend backward" in page.words
    assert page.row("too few keypoints").startswith("too few keypoints12")
    for p, row in zip(made.people, told["people"], strict=True):
        assert f"{p.height_m:.2f}" in page.row(f"{row['label']}{row['video_name']}")
    assert {name: row["grade"] for name, row in ((r["name"], r) for r in told["checks"])}["Focal length"] == "poor"  # guessed
    assert "focal length" in told["verdict"]["poor"]


def test_the_camera_reads_as_it_stands(made):
    pitch, roll, height = np.radians(17.0), np.radians(4.0), 2.31
    from augment.reconstruct.camera.rotation import rotation_world_camera

    T = geometry.rigid(rotation_world_camera(pitch, roll), np.array([0, height, 0]))
    scene = replace(made.scene, camera=replace(made.scene.camera, T_world_camera=T))
    camera = summarize(replace(made, scene=scene), BODY)["camera"]
    assert camera["height_m"] == pytest.approx(height)
    assert camera["pitch_deg"] == pytest.approx(17.0)
    assert abs(camera["roll_deg"]) == pytest.approx(4.0, abs=0.2)
    assert camera["std"]["focal_px"] == pytest.approx(0.1 * scene.camera.K[1, 1])
    assert camera["guessed"] == {"height_m": False, "focal_px": True, "pitch_deg": False, "roll_deg": False}


def test_raising_a_person_raises_feet_and_sinking_them_is_seen(made):
    def at(dy: float) -> dict:
        person = made.people[1]
        moved = replace(person, motion=replace(person.motion, transl=person.motion.transl + [0, dy, 0]),
                        joints=person.joints + [0, dy, 0])  # fmt: skip
        return summarize(replace(made, people=(moved,)), BODY)["people"][0]

    level, above, below = at(0.0), at(0.3), at(-0.2)
    assert abs(level["foot_height_m"]) < 0.03
    assert above["foot_height_m"] - level["foot_height_m"] == pytest.approx(0.3)
    assert above["floor_penetration_m"] == 0
    assert below["floor_penetration_m"] - level["floor_penetration_m"] == pytest.approx(0.2, abs=0.02)


def test_a_body_on_its_back_lies_and_a_walker_does_not(made):
    person = made.people[1]
    assert summarize(made, BODY)["people"][1]["lying"] == []
    flat = person.joints.copy()
    flat[6:15] = (person.joints[6:15] - person.joints[6:15, :1])[..., [0, 2, 1]] * [1, 1, -1] + [1.0, 0.1, -0.5]
    places = summarize(replace(made, people=(replace(person, joints=flat),)), BODY)["people"][0]["lying"]
    assert [(p["start_sec"], p["seconds"], p["on_floor"]) for p in places] == [(6 / FPS, 9 / FPS, True)]
    assert (places[0]["x"], places[0]["z"]) == pytest.approx((1.0, -0.5))


def test_overlay_decodes_to_as_many_frames_as_it_says(written):
    html, told = written
    clips = [base64.b64decode(data) for data in re.findall(r'data:video/mp4;base64,([^"]+)', html)]
    assert len(clips) == len(told["overlays"]) == 2
    for clip, said in zip(clips, told["overlays"], strict=True):
        frames, fps = decode_video(clip)
        assert len(frames) == said["frames"] == -(-COUNT // said["stride"])
        assert frames.shape[1:3] == (said["height"], said["width"])
        assert fps == pytest.approx(FPS / said["stride"])


def test_a_long_clip_is_thinned_and_played_faster(made, tmp_path):
    _, told = report(made, tmp_path, overlay_pictures=5)
    assert [each["frames"] for each in told["overlays"]] == [5, 5]
    assert all(each["speed"] > 1 for each in told["overlays"])


def test_the_body_is_drawn_where_the_body_is(made, tmp_path):
    """The picture changes inside the fitted body's outline, and nowhere far from it."""
    plain = Reconstruction(scene=made.scene, videos=made.videos[1:], people=())
    bodies = replace(plain, people=(replace(made.people[2], video=0),))
    pictures = []
    for name, which in (("without", plain), ("with", bodies)):
        html, _ = report(which, tmp_path / name)
        data = re.search(r'data:video/mp4;base64,([^"]+)', html)
        assert data is not None
        pictures.append(decode_video(base64.b64decode(data[1]))[0][0].astype(int))
    changed = np.abs(pictures[1][:64] - pictures[0][:64]).sum(-1) > 60
    camera = made.scene.camera.scaled_to(64)
    vertices, _ = pose_body(BODY, made.people[2].motion, slice(0, 1))
    uv = geometry.project(
        geometry.transform_points(geometry.invert_transform(camera.T_world_camera), vertices[0].astype(float)), camera.K
    )
    low, high = uv.min(0) - 2, uv.max(0) + 2
    v, u = np.nonzero(changed)
    assert len(u) > 40
    inside = (u >= low[0]) & (u <= high[0]) & (v >= low[1]) & (v <= high[1])
    assert inside.mean() > 0.95


def test_hostile_names_stay_text(made, tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'.mp4"
    folder = tmp_path / "clips"
    folder.mkdir()
    path = folder / evil.replace("/", "∕")
    path.write_bytes(made.videos[0].read_bytes())
    scene = replace(made.scene, name=evil, provenance={"guessed": [evil], evil: evil},
                    obstacles=tuple(replace(o, name="$\\frac{" + evil) for o in made.scene.obstacles))  # fmt: skip
    person = replace(made.people[0], person_class=evil, rejected=((1, 3, evil),), stages={evil: {evil: 1.0}})
    hostile = replace(made, scene=scene, videos=(path, Path(evil)), people=(person,), depth={evil: evil},
                      rejections={evil: 3}, seconds={evil: 1.0})  # fmt: skip
    html, told = report(hostile, tmp_path / "report")
    page = Page(html)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert len(scripts) == 2  # the data and the viewer
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert page.words.count("alert(1)") >= 5
    assert told["scene"] == evil


def test_states_follow_the_frames(made):
    states = states_of(made.people[0], np.arange(-1, COUNT + 1))
    assert states.tolist() == [3, *[OBSERVED] * 4, *[BRIDGED] * 4, *[OBSERVED] * 2, *[REJECTED] * 3, *[OBSERVED] * 5, 3]


BARE = {
    "nobody": lambda r: replace(r, people=()),
    "no video at all": lambda r: replace(r, people=(), videos=()),
    "no depth": lambda r: replace(r, depth={}, scene=replace(r.scene, depth=np.zeros_like(r.scene.depth))),
    "no mesh": lambda r: replace(r, scene=replace(r.scene, mesh=None)),
    "no provenance": lambda r: replace(r, scene=replace(r.scene, provenance={}), rejections={}, seconds={}),
    "bodies alone": lambda r: replace(r, people=(replace(r.people[2], stages={}),)),
    "nothing trusted": lambda r: replace(r, people=(replace(r.people[0], rejected=((0, 99, "nonsense"),)),)),
    "one frame": lambda r: replace(r, people=(first_frame(r.people[0]),)),
    "nothing but a floor": lambda r: replace(r, people=(), depth={}, scene=replace(
        r.scene, mesh=None, surfaces=(), obstacles=(), depth=np.zeros_like(r.scene.depth))),
}  # fmt: skip


def first_frame(person):
    motion = replace(person.motion, **{n: getattr(person.motion, n)[:1] for n in ("global_orient", "body_pose", "transl")})
    arrays = ("frames", "observed", "joints", "observed2d", "fitted2d", "reprojection_px", "contact")
    return replace(person, motion=motion, rejected=(), **{name: getattr(person, name)[:1] for name in arrays})


@pytest.mark.parametrize("what", list(BARE))
def test_it_comes_out_whatever_is_absent(what, made, tmp_path):
    html, told = report(BARE[what](made), tmp_path, overlay_pictures=2)
    assert not Page(html).open
    assert told["found"] in Page(html).words.replace("\n", " ")


def test_a_video_that_is_gone_is_said_and_the_rest_is_there(made, tmp_path):
    html, told = report(replace(made, videos=(made.videos[0], tmp_path / "gone.mp4")), tmp_path, overlay_pictures=2)
    assert "no such video file" in told["overlays"][1]["problem"]
    page = Page(html)
    assert "no such video file" in page.words
    assert sum(tag == "video" for tag, _ in page.tags) == 1


def test_of_many_clips_the_worst_have_overlays_and_the_others_a_strip(made, tmp_path):
    many = replace(made, videos=made.videos * 4, people=tuple(replace(made.people[i % 2], video=i) for i in (1, 2, 4, 7)))
    summary = summarize(many, BODY)
    chosen = choose_clips(many, summary, 3)
    assert len(chosen) == len(set(chosen)) == 3
    rejected = [p["video"] for p in summary["people"] if p["seconds_rejected"]]
    assert set(chosen) & set(rejected)
    html, told = report(many, tmp_path, max_overlays=1, overlay_pictures=2)
    page = Page(html)
    assert len(told["overlays"]) == sum(tag == "video" for tag, _ in page.tags) == 1
    strips = [attributes for tag, attributes in page.tags if tag == "img" and attributes["src"].startswith("data:image/jpeg")]
    assert len(strips) == 7 + 2  # the others are the plate, and the plate with the floor's metres


def test_the_coarse_skin_moves_as_the_body_does():
    motion = walker(4)
    coarse = coarse_vertices(BODY)
    assert 400 < len(coarse[0]) < 2500
    rows = np.arange(0, COUNT, 5)
    moved = pose_skin(make_skin(BODY, motion.betas, coarse), joint_transforms(BODY, motion, rows))
    true, _ = pose_body(BODY, motion)
    error = np.linalg.norm(moved - true[rows][:, coarse[0]], axis=-1)
    assert np.percentile(error, 95) < 0.01
    assert len(np.unique(coarse[1])) > 0.97 * len(coarse[0])


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Inverse of ``pack``, up to half a ``unit``."""
    data = np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["type"]).newbyteorder("<"))
    return data.reshape(packed["shape"]) * packed["unit"]


def test_what_the_viewer_unpacks_is_what_was_packed(made):
    view = pack_view(made, BODY)
    assert json.loads(json.dumps(view)) == view
    assert [clip["name"] for clip in view["clips"]] == ["a.mp4", "b.mp4"]
    person = view["clips"][0]["people"][1]
    motion = made.people[1].motion
    stride = round(FPS / person["rate"])
    rows = np.arange(0, COUNT, stride)
    transforms = joint_transforms(BODY, motion, rows)
    assert np.abs(unpack(person["turns"]) - transforms[..., :3]).max() < 1e-4
    assert np.abs(unpack(person["shifts"]) - transforms[..., 3]).max() < 1e-3
    assert np.abs(unpack(person["pelvis"]) - made.people[1].joints[rows, 0]).max() < 1e-3
    room_mesh = made.scene.mesh
    assert room_mesh is not None
    assert np.abs(unpack(view["room"]["vertices"]) - room_mesh.vertices).max() < 1e-3
    assert unpack(view["room"]["faces"]).tolist() == room_mesh.faces.tolist()


@pytest.mark.parametrize(("dtype", "scaled"), [(np.uint8, False), (np.int16, True), (np.uint32, False)])
def test_packing_round_trips(dtype, scaled):
    values = np.random.default_rng(0).integers(0, 250, (7, 3)).astype(float)
    packed = pack(values, dtype, scaled=scaled)
    assert np.abs(unpack(packed) - values).max() <= packed["unit"] / 2 * scaled + 1e-9


def test_a_large_mesh_is_thinned_within_a_cell():
    side = 260
    x, z = np.meshgrid(np.linspace(0, 5, side), np.linspace(0, 5, side))
    vertices = np.column_stack([x.ravel(), np.zeros(side * side), z.ravel()])
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.concatenate([np.stack([corner, corner + side, corner + 1], 1)])
    mesh = SceneMesh(vertices=vertices, faces=faces, colors=np.full((side * side, 3), 9, np.uint8))
    thin = thin_mesh(mesh, MAX_MESH_VERTICES)
    assert 1000 < len(thin.vertices) <= MAX_MESH_VERTICES < len(mesh.vertices)
    assert thin.faces.max() < len(thin.vertices)
    assert np.ptp(thin.vertices, axis=0) == pytest.approx([5, 0, 5], abs=0.05)


@pytest.mark.parametrize("degrees", [0.0, 2.0, 7.5])
def test_tilt_of_a_plane_is_its_slope(degrees):
    rng = np.random.default_rng(3)
    x, z = rng.uniform(-2, 2, (2, 400))
    points = np.column_stack([x, np.tan(np.radians(degrees)) * z + rng.normal(0, 0.002, 400), z])
    assert plane_tilt(points) == pytest.approx(degrees, abs=0.05)
    assert plane_tilt(points * [0, 1, 1]) is None  # a line spans no plane


def test_the_seen_floor_is_what_projects_into_the_picture(made):
    outline = seen_floor(made.scene)
    camera = made.scene.camera
    points = np.insert(outline, 1, 0.0, axis=1)
    uv = geometry.project(geometry.transform_points(geometry.invert_transform(camera.T_world_camera), points), camera.K)
    assert (uv > -1e-6).all()
    assert (uv < np.array([camera.width, camera.height]) + 1e-6).all()


def test_area_and_verdict(made):
    assert polygon_area(np.array([[0.0, 0], [4, 0], [4, 3], [0, 3]])) == pytest.approx(12)
    summary = summarize(made, BODY)
    rows = checks(summary)
    word = overall(rows)
    assert word["word"] == "poor"  # the focal length is guessed
    listed = [name for grade in ("good", "fair", "poor", "not_measured") for name in word[grade]]
    assert sorted(listed) == sorted(row["name"].lower() for row in rows)


def test_a_person_of_no_video_is_refused(made, tmp_path):
    with pytest.raises(ValueError, match=r"field video: expected 0 to 1, found 2"):
        write_report(replace(made, people=(replace(made.people[0], video=2),)), tmp_path, body=BODY)
