"""The quality report of a reconstruction: one HTML file that shows what was recovered and says how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...body.model import Body
from ..people import Reconstruction

if TYPE_CHECKING:
    from ...raster.rasterize import Rasterizer

__all__ = ["write_report"]


def write_report(
    reconstruction: Reconstruction,
    folder: Path,
    *,
    body: Body,
    rasterizer: Rasterizer | None = None,
    overlay_height: int = 360,
    max_overlays: int = 6,
    overlay_pictures: int = 120,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write ``report.html``, which needs no other file and no network, and ``report.json`` with its figures.

    Args:
        reconstruction: What was recovered. A video that cannot be read is named in the report with the reason.
        folder: Made if absent; an older report in it is replaced.
        body: The body the people were fitted with.
        rasterizer: Draws the bodies over the clips; the best one this machine has if None.
        overlay_height: Height of the overlay videos, pixels, never more than a clip's own.
        max_overlays: Clips that get an overlay video and curves; of the others four frames are shown.
        overlay_pictures: Pictures of an overlay video at most; a longer clip plays faster.
        progress: Called with what is being done, how much of it is done and how much there is.
    Returns:
        Path of ``report.html``.
    Raises:
        ValueError: If a person names a video the reconstruction lacks.
        OSError: If the folder cannot be written.
    """
    from ...raster.rasterize import make_rasterizer
    from .page import write_page

    for person in reconstruction.people:
        if not 0 <= person.video < len(reconstruction.videos):
            raise ValueError(
                f"person {person.track}: field video: expected 0 to {len(reconstruction.videos) - 1}, found {person.video}"
            )
    return write_page(
        reconstruction, Path(folder), body=body, rasterizer=rasterizer or make_rasterizer("auto"),
        overlay_height=overlay_height, max_overlays=max_overlays, overlay_pictures=overlay_pictures,
        progress=progress or (lambda what, done, total: None),
    )  # fmt: skip
