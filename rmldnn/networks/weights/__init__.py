"""Weights of networks in files: what users bring, and what they take away.

Read, by content and never by name: HDF5 files of Keras in both layouts, `.keras` archives, safetensors, checkpoints of
this program, torch state_dicts, modules that libtorch (C++) or TorchScript saved. Nothing in a file is run. Written, by
suffix: `.pt`, `.safetensors`, `.weights.h5`.
"""

from rmldnn.networks.weights.reading import has_weights, is_hdf5
from rmldnn.networks.weights.transfer import load
from rmldnn.networks.weights.writing import write

__all__ = ["has_weights", "is_hdf5", "load", "write"]
