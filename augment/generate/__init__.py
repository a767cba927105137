"""A recipe filmed into shards."""
