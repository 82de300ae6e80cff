import numpy as np

from rmldnn.data.transforms.pad import pad_to


def test_the_sample_stays_in_the_middle(apply):
    padded = apply(pad_to(size=[4, 3]), np.array([[[1], [2]]], np.int16))
    assert padded[..., 0].tolist() == [[0, 0, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]


def test_longer_axes_stay(apply):
    assert apply(pad_to(size=[2, 9]), np.ones((4, 5, 1))).shape == (9, 5, 1)


def test_a_sample_that_is_large_enough_is_not_copied(apply):
    sample = np.ones((4, 5, 1))
    assert apply(pad_to(size=[2, 2]), sample) is sample
