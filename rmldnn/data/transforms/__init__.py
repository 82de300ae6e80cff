"""What is done to a sample before the network sees it; the package is the registry of the group `transform`."""
