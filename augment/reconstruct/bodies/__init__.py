"""Bodies fitted to detections of estimators."""
