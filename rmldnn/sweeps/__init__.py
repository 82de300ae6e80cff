"""Sweeps: many runs of one configuration, each with other values, and which of them is best; imports no torch."""
