"""What a run of each task is made of: its network, its loss, its optimizer, and who sees its steps."""
