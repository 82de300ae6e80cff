"""rmldnn: deep learning from one configuration file."""

__version__ = "0.1.0"
