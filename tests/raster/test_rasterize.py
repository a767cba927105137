"""Laws of the rasterizers: geometry is kept, both draw the same, and one of them always works."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import numpy as np
import pytest

from augment.geometry import invert_transform, pixel_grid, project, transform_points, unproject
from augment.raster.pyrender_egl import PyrenderRasterizer
from augment.raster.rasterize import make_rasterizer
from augment.raster.zbuffer import CompiledRasterizer, rasterize
from augment.types import SceneMesh
from tests.make.rooms import ball, box, camera, the_body


@pytest.fixture(scope="module")
def egl():
    try:
        return make_rasterizer("pyrender")
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["compiled", "egl"])
def rasterizer(request):
    return CompiledRasterizer() if request.param == "compiled" else request.getfixturevalue("egl")


def test_unprojected_depth_lies_on_the_surface(rasterizer):
    vertices, faces = ball(rings=120, around=180)
    view = camera(height=160, width=200)
    _, depth = rasterizer.render_mesh(
        SceneMesh(vertices=vertices, faces=faces, colors=np.full((len(vertices), 3), 200, np.uint8)), view
    )
    hit = depth > 0
    points = transform_points(view.T_world_camera, unproject(pixel_grid(160, 200)[hit], depth[hit].astype(float), view.K))
    assert hit.sum() > 500
    np.testing.assert_allclose(np.linalg.norm(points - [0.0, 0.9, 0.0], axis=1), 0.5, atol=2e-3)


def test_a_pixel_is_covered_where_its_center_projects_into_the_triangle(rasterizer):
    view = camera()
    corners = np.array([[-0.3, 0.8, 0.0], [0.35, 0.75, 0.05], [0.0, 1.3, -0.1]])
    _, depth = rasterizer.render_mesh(
        SceneMesh(vertices=corners, faces=np.array([[0, 1, 2]]), colors=np.full((3, 3), 255, np.uint8)), view, cull=False
    )
    pixels = project(transform_points(invert_transform(view.T_world_camera), corners), view.K)
    a, b, c = pixels
    grid = pixel_grid(view.height, view.width)

    def side(p, q):
        return (q[0] - p[0]) * (grid[..., 1] - p[1]) - (q[1] - p[1]) * (grid[..., 0] - p[0])

    sides = np.stack([side(a, b), side(b, c), side(c, a)])
    clear = np.abs(sides).min(0) > 0.3  # GL snaps corners to a grid finer than this
    inside = (sides > 0).all(0) | (sides < 0).all(0)
    np.testing.assert_array_equal((depth > 0)[clear], inside[clear])


def test_both_rasterizers_draw_the_same_body(egl):
    body = the_body()
    vertices, view = body.rest_vertices(np.zeros(10)) + [0, 1.2, 0], camera(height=224, width=224)
    colors = np.random.default_rng(0).integers(40, 220, (len(vertices), 3)).astype(np.uint8)
    (rgb_a, depth_a), (rgb_b, depth_b) = (
        r.render_mesh(SceneMesh(vertices=vertices, faces=body.faces, colors=colors), view) for r in (egl, CompiledRasterizer())
    )
    mask_a, mask_b = depth_a > 0, depth_b > 0
    both = mask_a & mask_b
    assert both.sum() / (mask_a | mask_b).sum() > 0.97
    off = np.abs(depth_a - depth_b)[both]
    assert np.quantile(off, 0.995) < 0.01
    assert np.quantile(np.abs(rgb_a.astype(int) - rgb_b)[both], 0.99) <= 3


def test_the_same_input_gives_the_same_bytes_whatever_was_drawn_before(rasterizer):
    vertices, faces = ball()
    colors, view = np.full((len(vertices), 3), 180, np.uint8), camera()
    first = rasterizer.render_mesh(SceneMesh(vertices=vertices, faces=faces, colors=colors), view)
    rasterizer.render_mesh(SceneMesh(vertices=vertices * 1.3, faces=faces[::2], colors=colors), camera(height=50, width=31))
    second = rasterizer.render_mesh(SceneMesh(vertices=vertices, faces=faces, colors=colors), view)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_faces_seen_from_behind_are_left_out_only_when_culling(rasterizer):
    room = box([0, 1.3, 0], [5, 2.6, 8], [200] * 3)
    view = camera()  # inside the box, so every face is seen from behind
    _, culled = rasterizer.render_mesh(room, view)
    _, kept = rasterizer.render_mesh(room, view, cull=False)
    assert not (culled > 0).any()
    assert (kept > 0).all()


def test_triangles_that_reach_behind_the_camera_are_cut_not_dropped(rasterizer):
    floor = np.array([[-40, 0, -40], [-40, 0, 40], [40, 0, 40], [40, 0, -40.0]])
    view = camera(eye=(0, 1.5, 0), target=(0, 0.0, -2.0))
    _, depth = rasterizer.render_mesh(
        SceneMesh(vertices=floor, faces=np.array([[0, 1, 2], [0, 2, 3]]), colors=np.full((4, 3), 90, np.uint8)), view
    )
    rays = unproject(pixel_grid(view.height, view.width), np.ones(depth.shape), view.K) @ view.T_world_camera[:3, :3].T
    meets = rays[..., 1] < -0.1
    np.testing.assert_allclose(depth[meets], (1.5 / -rays[..., 1])[meets], rtol=2e-3)


def test_no_cracks_between_neighbouring_triangles():
    vertices, faces = ball(radius=0.8, rings=300, around=400)
    depth, _ = rasterize(vertices, faces, np.zeros((len(vertices), 0)), camera(height=150, width=150))
    rows = depth > 0
    for row in rows[rows.any(1)]:
        found = np.flatnonzero(row)
        assert row[found[0] : found[-1] + 1].all()


def test_light_makes_the_side_that_faces_it_brighter(rasterizer):
    vertices, faces = ball()
    rgb, depth = rasterizer.render_mesh(
        SceneMesh(vertices=vertices, faces=faces, colors=np.full((len(vertices), 3), 180, np.uint8)), camera()
    )
    rows = np.flatnonzero((depth > 0).any(1))
    top, bottom = rgb[rows[3]][depth[rows[3]] > 0].mean(), rgb[rows[-3]][depth[rows[-3]] > 0].mean()
    assert top > bottom + 30


def test_unlit_colours_come_out_as_they_went_in(rasterizer):
    vertices, faces = ball()
    rgb, depth = rasterizer.render_mesh(
        SceneMesh(vertices=vertices, faces=faces, colors=np.full((len(vertices), 3), 137, np.uint8)), camera(), lights=None
    )
    assert np.abs(rgb[depth > 0].astype(int) - 137).max() <= 1


def test_an_unknown_kind_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="auto, compiled, pyrender"):
        make_rasterizer("vulkan")


def test_without_opengl_the_compiled_rasterizer_works_and_pyrender_says_what_is_missing():
    script = """
import ctypes, ctypes.util
real = ctypes.CDLL
class Refusing(real):
    def __init__(self, name, *rest, **kw):
        if name and any(part in str(name) for part in ("EGL", "libGL", "OSMesa")):
            raise OSError(f"{name}: cannot open shared object file")
        super().__init__(name, *rest, **kw)
ctypes.CDLL = ctypes.cdll._dlltype = Refusing
ctypes.util.find_library = lambda name: None
from augment.raster.rasterize import make_rasterizer
print(make_rasterizer("auto").name)
try:
    make_rasterizer("pyrender")
except RuntimeError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ.copy(), timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "compiled"
    assert lines[1].startswith("refused: EGL does not work here")
    assert "libegl1 libegl-mesa0 libgl1-mesa-dri" in lines[1]


def test_one_egl_rasterizer_may_go_while_another_works(egl):
    vertices, faces = ball()
    colors = np.full((len(vertices), 3), 180, np.uint8)
    other = PyrenderRasterizer()
    before = other.render_mesh(SceneMesh(vertices=vertices, faces=faces, colors=colors), camera())[1]
    del other
    gc.collect()
    np.testing.assert_array_equal(
        before, egl.render_mesh(SceneMesh(vertices=vertices, faces=faces, colors=colors), camera())[1]
    )
