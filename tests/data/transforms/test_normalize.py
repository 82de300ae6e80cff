import pytest
import torch

from rmldnn.data.transforms.normalize import normalize
from rmldnn.errors import ConfigError

VALUES = torch.linspace(0, 1, 24).reshape(2, 3, 2, 2)


@pytest.mark.parametrize("mean", [0.25, [0.25], [0.1, 0.2, 0.3]])
@pytest.mark.parametrize("std", [0.5, [0.5], [0.5, 0.6, 0.7]])
def test_it_subtracts_the_mean_and_divides_by_the_deviation(mean, std):
    per_channel = [torch.tensor(value).reshape(-1, 1, 1) for value in (mean, std)]
    expected = (VALUES - per_channel[0]) / per_channel[1]
    torch.testing.assert_close(normalize(mean=mean, std=std).affine(VALUES.clone()), expected)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"std": 0.003921568627}, "mean: 0, std: 0.00392157"),
        ({"mean": [0.485, 0.5], "std": 1}, "mean: [0.485, 0.5], std: 1"),
        ({"mean": 1234567.0, "std": 1e-7}, "mean: 1.23457e+06, std: 1e-07"),
    ],
)
def test_the_log_shows_numbers_as_c_does(keys, text):
    assert str(normalize(**keys)) == text


@pytest.mark.parametrize("keys", [{"mean": [0.0, 0.0], "std": [1.0, 1.0, 1.0]}, {"mean": []}])
def test_values_for_different_channels_are_an_error(keys):
    with pytest.raises(ConfigError, match=r"`mean` has . values and `std` has"):
        normalize(**keys)
