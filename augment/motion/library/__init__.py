"""The embedded motion library: scripted daily actions and simulated falls."""
