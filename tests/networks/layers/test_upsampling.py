import pytest
import torch

INTERPOLATIONS = ["nearest", "area", "bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]

# tf_keras 2.21: UpSampling2D(size=(3, 1)) of the column 0, 1, 4, 9 (float32)
OF_KERAS = {
    "bilinear": [0.0, 0.0, 0.333333, 0.666667, 1.0, 2.0, 3.0, 4.0, 5.666667, 7.333334, 9.0, 9.0],
    "bicubic": [-0.105206, 0.0, 0.172212, 0.464676, 1.0, 1.77691, 2.778863, 4.0, 5.819431, 7.725754, 9.0, 9.526031],
    "lanczos3": [-0.030921, 0.0, 0.109298, 0.470809, 1.0, 1.568734, 2.426296, 4.0, 6.059643, 7.855392, 9.0, 9.69079],
    "lanczos5": [-0.249584, 0.0, 0.354481, 0.722512, 1.0, 1.325463, 2.255114, 4.0, 5.998884, 7.72236, 9.0, 9.853859],
    "gaussian": [
        0.034445,
        0.119203,
        0.339244,
        0.737656,
        1.213014,
        1.971265,
        3.120852,
        4.213014,
        5.58807,
        7.303782,
        8.403985,
        8.827775,
    ],
    "mitchellcubic": [
        -0.048632,
        0.058824,
        0.247014,
        0.565393,
        1.111111,
        1.888892,
        2.88889,
        4.111112,
        5.78672,
        7.501989,
        8.705881,
        9.24316,
    ],
}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_places_are_repeated(build, axes):
    x = torch.rand(2, 3, *range(2, 2 + axes))
    module = build(f"UpSampling{axes}D", [*x.shape[2:], 3], size=3)
    y = module(x)
    for dim in range(2, 2 + axes):
        x = x.repeat_interleave(3, dim)
    assert torch.equal(y, x)
    assert module.output_shapes == [[None, *x.shape[2:], 3]]


@pytest.mark.parametrize("factor", [41, 47, 55, 61, 83])  # where torch's plain `nearest` misses in float32
def test_repetition_is_exact_for_factors_without_a_binary_inverse(build, factor):
    x = torch.arange(300.0).reshape(1, 1, -1)
    assert torch.equal(build("UpSampling1D", [300, 1], size=factor)(x), x.repeat_interleave(factor, 2))


@pytest.mark.parametrize("interpolation", OF_KERAS)
def test_interpolation_gives_the_numbers_of_keras(build, interpolation):
    module = build("UpSampling2D", [4, 1, 1], size=[3, 1], interpolation=interpolation)
    y = module(torch.tensor([0.0, 1, 4, 9]).reshape(1, 1, 4, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor(OF_KERAS[interpolation]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_an_even_image_stays_even(build, interpolation):
    module = build("UpSampling2D", [None, None, 2], size=[2, 3], interpolation=interpolation)
    y = module(torch.ones(1, 2, 4, 5, dtype=torch.float64))
    torch.testing.assert_close(y, torch.ones(1, 2, 8, 15, dtype=torch.float64))


def test_bilinear_is_one_operation_of_torch(build):
    code = build("UpSampling2D", [4, 4, 1], interpolation="bilinear").code
    assert "interpolate(x, scale_factor = [2.0, 2.0], mode = 'bilinear', align_corners = False)" in code


def test_interpolation_may_be_written_in_capitals(build):
    assert "bilinear" in build("UpSampling2D", [4, 4, 1], interpolation="BILINEAR").code


def test_unknown_interpolation_is_refused(complaint):
    assert 'unknown interpolation "bilinaer"; did you mean `bilinear`?' in complaint(
        "UpSampling2D", [4, 4, 1], interpolation="bilinaer"
    )
