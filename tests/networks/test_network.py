"""What a network says about tensors it cannot take."""

import pytest

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network


def made_for(*shape):
    return network(layers=[{"class_name": "InputLayer", "config": {"batch_input_shape": [None, *shape]}}])


def complaint(module, *shapes):
    with pytest.raises(NetworkError) as caught:
        module.check_input(*shapes)
    return str(caught.value)


def test_fitting_tensors_pass():
    made_for(28, 32, 1).check_input((16, 1, 28, 32))


def test_any_extent_passes_where_none_is_given():
    made_for(None, None, 3).check_input((2, 3, 17, 19))


def test_the_shapes_are_channels_first():
    assert "takes inputs of shape (N, 1, 28, 32), got (N, 1, 32, 28)" in complaint(made_for(28, 32, 1), (4, 1, 32, 28))


@pytest.mark.parametrize(
    ("keras", "tensor", "remedy"),
    [
        ((28, 28, 1), (4, 3, 28, 28), "set `grayscale`: true"),
        ((28, 28, 3), (4, 1, 28, 28), "set `grayscale`: false"),
        ((28, 28, 4), (4, 3, 28, 28), "give samples of 4 channels"),
        ((28, 32, 1), (4, 1, 30, 30), 'add the transform {"resize": [32, 28]}'),
        ((8, 8, 8, 1), (4, 1, 9, 8, 8), "give samples of that size"),
        ((8, 8, 1), (4, 2, 6), "`batch_input_shape` to [null, 6, 2]"),
    ],
)
def test_the_remedy_fits_the_fault(keras, tensor, remedy):
    assert remedy in complaint(made_for(*keras), tensor)


@pytest.mark.parametrize(
    ("keras", "tensor", "remedy"),
    [
        ((28, 28, 1), (4, 3, 28, 28), "give samples of 1 channel, or"),
        ((28, 28, 3), (4, 1, 28, 28), "give samples of 3 channels, or"),
        ((28, 32, 1), (4, 28, 32), '"channel_axis": "none"'),
        ((28, 32, 3), (4, 28, 32, 3), '"channel_axis": "last"'),
    ],
)
def test_the_remedy_for_arrays_is_none_for_pictures(keras, tensor, remedy):
    with pytest.raises(NetworkError) as caught:
        made_for(*keras).check_input(tensor, arrays=True)
    assert remedy in str(caught.value)
    assert "grayscale" not in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "remedy"),
    [
        (2, "give each of `data.slicers` 3 `sizes`, one for each axis in space; there are 2"),
        (3, "give each of `data.slicers` 3 `sizes` greater than 1"),
    ],
)
def test_slices_of_too_few_axes_are_told_by_their_sizes(sizes, remedy):
    with pytest.raises(NetworkError) as caught:
        made_for(None, 64, 64, 1).check_input((4, 64, 64), arrays=True, sizes=sizes)
    assert str(caught.value).endswith(remedy)


def test_the_number_of_inputs_is_checked():
    assert "takes 1 inputs, got 2" in complaint(made_for(3), (1, 3), (1, 3))
