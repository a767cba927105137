"""Diffusion models of motion."""
