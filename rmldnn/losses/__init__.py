"""Losses, one file each; the package is the registry of the group `loss`."""
