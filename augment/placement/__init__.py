"""A performance into a scene: where it fits, and why it does not."""
