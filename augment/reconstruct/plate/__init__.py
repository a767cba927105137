"""The picture of the empty room."""
