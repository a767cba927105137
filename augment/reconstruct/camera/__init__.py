"""Calibration of the camera over its floor."""
