"""Scripted actions of two people: their motions in one frame, with hands that meet."""
