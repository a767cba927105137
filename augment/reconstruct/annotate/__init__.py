"""Annotated people and labels, matched to tracks."""
