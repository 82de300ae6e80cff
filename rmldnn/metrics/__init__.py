"""Metrics that are sums until the very end, so that any number of processes and batches gives the same number."""
