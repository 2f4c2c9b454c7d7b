"""Whole jobs: a mask-training epoch, forward passes, training steps, searches, accuracy."""
