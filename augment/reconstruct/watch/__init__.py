"""Detections checked and tracked."""
