"""The room's depth in metres, and what stands in it."""
