"""Pose-NDF: distance field over body poses."""
