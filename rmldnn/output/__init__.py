"""What people and programs read: console, log, prediction files."""
