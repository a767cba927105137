"""Filming: looks, rasterizers, compositing, and the layers of a clip."""
