"""``augment scenes room``: an embedded furnished care room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOWEST, HIGHEST = 32, 2160
"""Plate heights that can be asked for, pixels."""


@dataclass(frozen=True, kw_only=True)
class SceneRoom:
    """Build a furnished care room from a seed and film it empty from a ceiling corner."""

    out: Path
    """Folder for scene.json, plate.png, depth.npz and mesh.glb."""
    seed: int = 0
    """The same seed gives the same room."""
    height: int = 480
    """Height of the plate, pixels; it is 4:3."""

    def run(self) -> None:
        from ..scene.rooms.care_room import make_room
        from ..scene.store import save_scene

        if self.seed < 0:
            raise ValueError(f"--seed {self.seed}: expected 0 or more")
        if not LOWEST <= self.height <= HIGHEST:
            raise ValueError(f"--height {self.height}: expected {LOWEST} to {HIGHEST}")
        scene = make_room(seed=self.seed, height=self.height)
        save_scene(scene, self.out)
        seats = sum(surface.kind == "chair" for surface in scene.surfaces)
        print(
            f"{self.out}: room {self.seed}, {scene.floor[:, 0].max():.1f} x {scene.floor[:, 1].max():.1f} m, "
            f"{len(scene.obstacles)} pieces of furniture, {seats} seats, camera at {scene.camera.T_world_camera[1, 3]:.2f} m"
        )
