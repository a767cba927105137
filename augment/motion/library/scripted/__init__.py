"""Daily actions by inverse kinematics."""
