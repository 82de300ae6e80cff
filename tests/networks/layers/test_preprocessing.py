import pytest
import torch


def test_rescaling_by_numbers(build):
    assert build("Rescaling", [2], scale=0.5, offset=-1)(torch.tensor([[2.0, 4.0]])).tolist() == [[0, 1]]


def test_rescaling_by_channels(build):
    y = build("Rescaling", [1, 2], scale=[1.0, 2.0], offset=[0.0, 1.0])(torch.tensor([[[3.0], [3.0]]]))
    assert y.flatten().tolist() == [3, 7]


def test_constants_are_exact_in_64_bits(build):
    y = build("Rescaling", [2], scale=[0.1, 0.2]).double()(torch.ones(1, 2, dtype=torch.float64))
    assert y.tolist() == [[0.1, 0.2]]


def test_constants_are_no_weights(build):
    assert not build("Rescaling", [2], scale=[0.1, 0.2]).state_dict()


def test_constants_must_fit_the_channels(complaint):
    assert "`scale` of 3 does not fit its input of 4 x 2" in complaint("Rescaling", [4, 2], scale=[1.0, 2.0, 3.0])


def test_given_statistics(build):
    y = build("Normalization", [1, 2], mean=[1.0, 2.0], variance=[4.0, 16.0])(torch.tensor([[[3.0], [6.0]]]))
    assert y.flatten().tolist() == [1, 1]


def test_given_statistics_along_another_axis(build):
    module = build("Normalization", [2, 3], axis=1, mean=[1.0, 2.0], variance=[4.0, 16.0])
    assert module(torch.tensor([[[3.0, 6.0]] * 3])).tolist() == [[[1, 1]] * 3]


def test_inverse(build):
    module = build("Normalization", [1], axis=None, mean=1.0, variance=4.0, invert=True)
    assert module(torch.tensor([[1.0]])).item() == 3


def test_a_variance_of_0_counts_as_the_square_of_1e_7(build):
    y = build("Normalization", [1], mean=0.0, variance=0.0).double()(torch.ones(1, 1, dtype=torch.float64))
    assert y.item() == pytest.approx(1e7)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (3,)), ([1, 3], (4, 3)), (None, ()), ([], ())])
def test_statistics_are_variables_in_keras_order(build, axis, shape):
    module = build("Normalization", [4, 5, 3], axis=axis)
    found = [(variable.name, variable.shape, variable.trainable) for _, variable, _ in module.variables()]
    assert found == [("mean", shape, False), ("variance", shape, False), ("count", (), False)]


def test_statistics_are_used(build):
    module = build("Normalization", [4, 5, 3], axis=[1, 3])
    mean = torch.rand(4, 3)
    _, variable, buffer = next(module.variables())
    variable.view(buffer).copy_(mean)
    x = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(module(x), x - mean.T[:, :, None])


def test_mean_and_variance_belong_together(complaint):
    assert "give both or none" in complaint("Normalization", [2], mean=1.0)
