"""Learning-rate schedules; the package is the registry of the group `scheduler`."""
