"""Keras network descriptions, compiled to torch."""
