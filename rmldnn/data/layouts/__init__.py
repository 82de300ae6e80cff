"""How data lies in folders, recognised by names."""
