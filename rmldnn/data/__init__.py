"""Samples on disk, on their way to batches."""
