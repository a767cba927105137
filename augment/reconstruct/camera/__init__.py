"""The camera over its floor."""
