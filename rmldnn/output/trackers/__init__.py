"""Services that keep the numbers of many runs; one module each, its package an extra."""
