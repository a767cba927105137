"""``augment scenes furniture``: seats, beds and obstacles of a scene, looked at and added."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class SceneFurniture:
    """Show a scene's seats, beds and obstacles, or add one that nobody measured: it then hides people and carries them.

    The scene's folder gets boxes.png: their edges drawn on the plate.
    """

    scene: Positional[Path]
    """The scene's folder."""
    corners: tuple[tuple[float, float], ...] = ()
    """Corners x y x y x y x y of a top, in the plate's pixels, in turn; the first two at a bed's head or a seat's back. They
    may lie outside the picture. Without them nothing is added."""
    height: float = 0.5
    """Height of the top above the floor, metres."""
    kind: str = "bed"
    """``bed`` or ``chair``; any other name makes an obstacle, such as table."""

    def run(self) -> None:
        import cv2
        import numpy as np

        from ..files import write_atomic
        from ..scene.boxes import draw_boxes, piece_from_corners
        from ..scene.store import add_furniture, load_scene

        scene = load_scene(self.scene)
        if self.corners:
            if len(self.corners) != 4:
                raise ValueError(f"--corners: expected 4 corners, found {len(self.corners)}")
            piece = piece_from_corners(np.array(self.corners), self.height, scene.camera, self.kind)
            replaced = add_furniture(self.scene, piece)
            scene = load_scene(self.scene)
            across, along = piece.size[0], piece.size[-1]
            print(f"{self.kind}: {across:.2f} x {along:.2f} m, top at {self.height:g} m, in place of {replaced}")
        encoded, png = cv2.imencode(".png", cv2.cvtColor(draw_boxes(scene), cv2.COLOR_RGB2BGR))
        assert encoded
        write_atomic(self.scene / "boxes.png", png.tobytes())
        print(f"{self.scene}: {len(scene.surfaces)} seats and beds, {len(scene.obstacles)} obstacles; look at boxes.png")
