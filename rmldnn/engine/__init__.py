"""What runs: epochs, checkpoints, processes. Never sees a configuration."""
