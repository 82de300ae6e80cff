import numpy as np
import pytest

from rmldnn.data.transforms.coordinates import coordinates
from rmldnn.errors import ConfigError


@pytest.mark.parametrize("extent", [(5,), (4, 3), (3, 4, 5)])
def test_channels_run_from_0_to_1_along_their_axis(apply, numbers_of, extent):
    sample = numbers_of((*extent, 2))
    names = "xyz"[: len(extent)]
    result = apply(coordinates(axes=list(names)), sample)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[..., :2], sample.astype(np.float32))
    lines = np.meshgrid(*[np.linspace(0, 1, n) for n in extent], indexing="ij")
    np.testing.assert_allclose(result[..., 2:], np.stack(lines, -1), rtol=1e-6)


def test_the_order_is_the_user_s(apply, numbers_of):
    result = apply(coordinates(axes=["y", "x"]), numbers_of((3, 4, 1)))
    assert result[2, 0, 1:].tolist() == [0, 1]


@pytest.mark.parametrize("part", ["target", "mask"])
def test_targets_stay(apply, numbers_of, part):
    sample = numbers_of((4, 4, 1))
    assert apply(coordinates(axes=["x"]), sample, part) is sample


def test_an_axis_that_samples_do_not_have(apply, numbers_of):
    with pytest.raises(ConfigError, match=r"input_transforms.coordinates: there is no axis `z` in samples .* 2 axes"):
        apply(coordinates(axes=["z"]), numbers_of((4, 4, 1)))


@pytest.mark.parametrize("axes", [[], ["x", "x"]])
def test_axes_are_named_once(axes):
    with pytest.raises(ConfigError, match="must name each axis once"):
        coordinates(axes=axes)
