"""Placement of a performance in a scene, and the reasons to reject it."""
