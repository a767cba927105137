"""The embedded motion library: scripted daily actions and simulated falls, made by the project itself."""

from .build import LibrarySummary, build_library
from .scripted import SCRIPTS, make_action

__all__ = ["SCRIPTS", "LibrarySummary", "build_library", "make_action"]
