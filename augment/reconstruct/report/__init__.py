"""The quality report of a reconstruction."""
