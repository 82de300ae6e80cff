"""What one learning step is."""
