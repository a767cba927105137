"""Rooms: stored scenes, meshes, point clouds, and rooms made from a seed."""
