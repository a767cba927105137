"""What a room is: stored scenes, meshes, point clouds, and rooms made from a seed."""
