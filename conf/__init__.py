"""Hydra groups; the package makes `pkg://rmldnn.conf` a search path."""
