"""Samples and the tar shards that hold them."""
