"""Foreign formats; the only place that knows foreign frames, units and keys."""
