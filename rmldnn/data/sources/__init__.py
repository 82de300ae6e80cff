"""Where samples come from; the package is the registry of the group `data`."""
