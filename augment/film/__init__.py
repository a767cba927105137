"""A performance filmed in a room: looks, cameras, light, layers."""
