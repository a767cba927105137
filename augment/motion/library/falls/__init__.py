"""Falls simulated with MuJoCo."""
