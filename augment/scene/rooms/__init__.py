"""Furnished care rooms drawn from a seed."""
