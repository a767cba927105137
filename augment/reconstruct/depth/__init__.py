"""The room's depth in metres, and its furniture."""
