"""What people and programs read: console, log, history and prediction files.

Every output consumes the steps of a run: `consume(step)` for each, `close()` at the end, whatever the end.
"""
