"""``recognition watch``: a classifier over an untrimmed video."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from augment.progress import Progress

if TYPE_CHECKING:
    from augment.sources.video import VideoInfo

    from ..recordings import Place, Recording


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Look for the rare class in an untrimmed video: when it is seen, as picture, JSON and annotated video.

    Example: recognition watch classifier.safetensors night.mp4 --keypoints night-keypoints.json --out night

    With shipped weights: recognition watch understudy:keypoints night.mp4 --keypoints mediapipe --out night
    """

    checkpoint: tyro.conf.Positional[Path]
    """Checkpoint of `recognition train`, or weights shipped here as they are: `understudy:keypoints`, `:person` or `:rgb`
    (`:person-x3d_xs` and `:rgb-x3d_xs` for those of X3D-XS)."""
    video: tyro.conf.Positional[Path]
    """The video."""
    out: Path = Path("watched")
    """Folder for timeline.png, timeline.json and annotated.mp4."""
    keypoints: Path | None = None
    """Keypoints of this video (COCO, OpenPose, MediaPipe, AlphaPose), or a detector to run here: keypointrcnn or mediapipe.
    A checkpoint with `input: keypoints` or `heatmaps` needs them; with `person` or `motion` they say where the person is."""
    person: int | None = None
    """Whom to watch, where several people are in the keypoints: their number in the file, or as a note of this command
    gives it. By default who moves most."""
    detector_weights: Path | None = None
    """Weights for `--keypoints keypointrcnn`; None lets torchvision fetch its own."""
    plate: Path | None = None
    """Picture of the empty room from this camera, of the video's size: where the person is (`person`) and moves (`motion`).
    Where it is transparent, nobody is looked for. Without it, medians of the video's frames are all there is."""
    watch_for: str | None = None
    """The class of the alarms; by default the rare class of the study that the checkpoint comes from."""
    threshold: float | None = None
    """Probability of that class that raises an alarm, 0 to 1. By default the one that `recognition train` set on clips held out
    and stored in the checkpoint, for the rare class; where there is none, 0.5."""

    def run(self) -> None:
        """Watch, write, say where."""
        import json
        import tempfile

        from augment.files import write_atomic
        from augment.sources.video import probe

        from ..checkpoint import load_checkpoint, rule_of
        from ..inputs.keypoints import person_doubts
        from ..inputs.kinds import INPUTS
        from ..inputs.readable import require_video
        from ..recordings import Recording
        from ..watch import in_words, timeline_json, watch
        from ..watch_pictures import annotate_video, draw_timeline

        if self.plate is not None and not self.plate.is_file():
            raise ValueError(f"--plate {self.plate}: no such picture")
        network, about = load_checkpoint(self.checkpoint)
        watch_for = self.watch_for or about["rare_class"]
        if watch_for not in about["classes"]:
            raise ValueError(f"--watch-for {watch_for}: {self.checkpoint} knows: {', '.join(about['classes'])}")
        rule = rule_of(about, watch_for=watch_for, threshold=self.threshold)
        info = probe(self.video)
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"--out {self.out}: is a file; name a folder")
        self.out.mkdir(parents=True, exist_ok=True)
        recording = Recording(
            name=self.video.name, path=self.video, fps=info.fps, frames=info.frames, segments=(),
            keypoints=self._keypoints(info, about), size=(info.width, info.height), plate=self.plate, person=self.person,
        )  # fmt: skip
        for doubt in person_doubts([recording]) if about["input"] != "rgb" else ():
            print(f"note: {doubt.replace('the column `person`', '--person')}")
        with tempfile.TemporaryDirectory(prefix="recognition-") as folder, Progress() as progress:
            kind = INPUTS[about["input"]]
            size = {name: about[name] for name in ("size", "frames", "window_sec")}
            store = kind.store(folder=Path(folder), **size)
            progress.update("reading video", 0, 1)
            require_video(recording)
            store.get(recording)
            progress.update("reading video", 1, 1)
            if about["input"] != "rgb" and recording.keypoints is not None:
                self._doubt(recording)
            watching, drawing = (functools.partial(progress.update, what) for what in ("watching", "annotating"))
            timeline = watch(network, recording, store=store, about=about, watch_for=watch_for, rule=rule, progress=watching)
            details = {"video": str(self.video), "checkpoint": str(self.checkpoint), "fps": info.fps, "frames": info.frames}
            content = timeline_json(timeline, **details, temperature=about["temperature"])
            title = f"{self.video.name}: {len(timeline.alarms)} alarm(s) of {watch_for}"
            write_atomic(self.out / "timeline.json", json.dumps(content, indent=1).encode())
            write_atomic(self.out / "timeline.png", draw_timeline(timeline, video=info, title=title))
            annotate_video(timeline, self.out / "annotated.mp4", video=info, progress=drawing)
        print(f"most probable: {in_words(timeline)}")
        for alarm in timeline.alarms:
            times = f"from {alarm.start_sec:.1f} to {alarm.end_sec:.1f} s, raised at {alarm.raised_sec:.1f} s"
            print(f"alarm: {watch_for} {times}, probability up to {alarm.peak:.2f}")
        print(f"{self.out / 'timeline.png'}: {len(timeline.alarms)} alarm(s) in {info.frames / info.fps:.1f} s "
              f"with threshold {rule.threshold:.3g} (also timeline.json, annotated.mp4)")  # fmt: skip

    def _doubt(self, recording: Recording) -> None:
        """Say so where the picture does not change where the person moves according to the keypoints."""
        from augment.reconstruct.watch.checks import require_belonging
        from augment.reconstruct.watch.stillness import sample_frames

        from ..inputs.keypoints import detected_person

        try:
            require_belonging(sample_frames(self.video), detected_person(recording))
        except ValueError as error:  # not sure enough to refuse: others may move, or the light change
            print(f"note: {error}")

    def _keypoints(self, info: VideoInfo, about: dict[str, Any]) -> Place | None:
        """The file of keypoints, checked against the video; written beside the results where a detector runs here."""
        from augment.sources.people.detectors import DETECTORS, detect_keypoints
        from augment.sources.people.keypoints import read_keypoints

        from ..export.formats import write_detections
        from ..recordings import Place

        if self.keypoints is None:
            if about["input"] in ("keypoints", "heatmaps"):
                raise ValueError(
                    f"--keypoints is missing: {self.checkpoint} looks at keypoints; give --keypoints FILE with those of this "
                    f"video, or name a detector to run here: {' or '.join(f'--keypoints {name}' for name in DETECTORS)}"
                )
            return None
        if self.keypoints.exists():
            read_keypoints(self.keypoints, width=info.width, height=info.height)
            return Place(path=self.keypoints)
        if str(self.keypoints) not in DETECTORS:
            raise ValueError(f"--keypoints {self.keypoints}: no such file, and no detector; detectors: {', '.join(DETECTORS)}")
        people = detect_keypoints(self.video, weights=self.detector_weights, detector=str(self.keypoints))
        return Place(path=write_detections(people, self.out / "keypoints.json", frames=info.frames))
