"""Streaming shards: tar files of whole samples in the format of webdataset, each with an index of its own."""
