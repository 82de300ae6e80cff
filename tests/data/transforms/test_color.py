import cv2
import numpy as np
import pytest

from rmldnn.data.transforms.color import convert_color
from rmldnn.errors import ConfigError, DataError


@pytest.mark.parametrize("code", ["BGR2RGB", "bgr2rgb", "COLOR_BGR2RGB"])
def test_names_are_those_of_opencv(apply, numbers_of, code):
    picture = numbers_of((4, 5, 3))
    assert np.array_equal(apply(convert_color(code=code), picture), picture[..., ::-1])
    assert str(convert_color(code=code)) == "BGR2RGB"


def test_grey_keeps_a_channel(apply, numbers_of):
    picture = numbers_of((4, 5, 3))
    grey = apply(convert_color(code="BGR2GRAY"), picture)
    assert np.array_equal(grey[..., 0], cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    assert grey.shape == (4, 5, 1)


def test_every_slice_of_a_volume_is_converted(apply, numbers_of):
    volume = numbers_of((2, 4, 5, 3))
    assert np.array_equal(apply(convert_color(code="BGR2RGB"), volume), volume[..., ::-1])


def test_image_targets_are_converted_and_masks_are_not(apply, numbers_of):
    picture = numbers_of((4, 5, 3))
    assert apply(convert_color(code="BGR2RGB"), picture, "mask") is picture
    assert np.array_equal(apply(convert_color(code="BGR2RGB"), picture, "target"), picture[..., ::-1])


def test_an_unknown_conversion_names_the_nearest():
    with pytest.raises(ConfigError, match=r"data\.transforms\.convert_color: .*`BGR2RBG`.*did you mean `BGR2RGB`"):
        convert_color(code="BGR2RBG")


@pytest.mark.parametrize(("shape", "kind", "words"), [((4, 5, 1), "uint8", "1 channel of type uint8"),
                                                      ((4, 5, 3), "int64", "3 channels of type int64")])  # fmt: skip
def test_channels_that_cannot_be_converted(apply, numbers_of, shape, kind, words):
    with pytest.raises(DataError, match=rf"`convert_color` cannot apply BGR2HSV to a sample of {words}"):
        apply(convert_color(code="BGR2HSV"), numbers_of(shape, kind))
