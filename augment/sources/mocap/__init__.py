"""Motion capture files."""
