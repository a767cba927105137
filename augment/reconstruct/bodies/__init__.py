"""Bodies fitted to what estimators found."""
