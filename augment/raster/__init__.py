"""Light and the rasterisers."""
