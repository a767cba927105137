"""Understudy, first half: reconstruct rooms and people, learn how people move, film labelled clips."""

__version__ = "0.1.0"
