"""A room without depth: walls from the picture."""
