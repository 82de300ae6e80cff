"""Layers by family; the package is the registry of the group `layer`."""
