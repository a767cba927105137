"""Known truth and realistic errors, for benchmarks and tests."""
