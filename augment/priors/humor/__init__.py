"""HuMoR: prior of human motion."""
