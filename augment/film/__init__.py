"""A performance filmed in a room: looks, camera, composite, layers."""
