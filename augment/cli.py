"""The ``augment`` command: joins the subcommands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, subcommand

from .command_line import exit_code_of
from .commands.demo import Demo
from .commands.generate import Generate
from .commands.merge import Merge
from .commands.motions_import import MotionsImport
from .commands.motions_library import MotionsLibrary
from .commands.motions_sheet import MotionsSheet
from .commands.motions_train import MotionsSample, MotionsTrain
from .commands.priors import PriorsEvaluate, PriorsSample, PriorsTrain
from .commands.reconstruct import Reconstruct
from .commands.scenes_furniture import SceneFurniture
from .commands.scenes_real import SceneFromRgbd, SceneFromVideo
from .commands.scenes_room import SceneRoom
from .commands.verify import Verify


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Motions: import mocap, build the embedded library, look at them, train and sample the generator."""

    command: (
        Annotated[MotionsImport, subcommand("import")]
        | Annotated[MotionsLibrary, subcommand("library")]
        | Annotated[MotionsSheet, subcommand("sheet")]
        | Annotated[MotionsTrain, subcommand("train")]
        | Annotated[MotionsSample, subcommand("sample")]
    )

    def run(self) -> None:
        self.command.run()


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Rooms to film in: an embedded one, one from a fixed camera's video, one from an RGB-D frame; furniture in them."""

    command: (
        Annotated[SceneRoom, subcommand("room")]
        | Annotated[SceneFromVideo, subcommand("from-video")]
        | Annotated[SceneFromRgbd, subcommand("from-rgbd")]
        | Annotated[SceneFurniture, subcommand("furniture")]
    )

    def run(self) -> None:
        self.command.run()


@dataclass(frozen=True, kw_only=True)
class Priors:
    """Priors of poses and movements: train them on a motion store, evaluate them, sample from them."""

    command: (
        Annotated[PriorsTrain, subcommand("train")]
        | Annotated[PriorsEvaluate, subcommand("evaluate")]
        | Annotated[PriorsSample, subcommand("sample")]
    )

    def run(self) -> None:
        self.command.run()


Command = (
    Annotated[Demo, subcommand("demo")]
    | Annotated[Motions, subcommand("motions")]
    | Annotated[Reconstruct, subcommand("reconstruct")]
    | Annotated[Scenes, subcommand("scenes")]
    | Annotated[Priors, subcommand("priors")]
    | Annotated[Generate, subcommand("generate")]
    | Annotated[Merge, subcommand("merge")]
    | Annotated[Verify, subcommand("verify")]
)

DESCRIPTION = """Film labelled clips of rare events in your own rooms.

Start with `augment demo`. Then: `augment reconstruct` makes a room of yours, `augment generate RECIPE.yaml` films
clips in it into WebDataset shards, and `recognition ablate STUDY.yaml` measures what they are worth on real video."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with 2 and one line on bad input, 130 on Ctrl-C."""
    command = tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="augment",
        description=DESCRIPTION,
        args=arguments,
        config=(OmitArgPrefixes, OmitSubcommandPrefixes),
    )
    if code := exit_code_of(command.run):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
