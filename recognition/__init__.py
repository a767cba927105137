"""Understudy, second half: train and compare video classifiers with and without synthetic clips."""
