"""Rooms and people from videos of one fixed camera."""
