"""What the user wrote: from a file to a checked, composed job. Imports no torch."""
