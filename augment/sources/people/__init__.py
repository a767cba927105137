"""People found in video by estimators: keypoints and bodies."""
