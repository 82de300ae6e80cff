"""A first configuration for data that is known; what it looks like on disk is `rmldnn.looking`'s."""
