"""Well-known networks, one family in each file; the package is the registry of the group `zoo`. Imports no torch.

A network is a component whose keyword-only parameters are its options; it returns the graph that its Keras file would
be read into. Layers are called as in `keras.applications` and `segmentation_models`, so weights stored for those fit.
"""
