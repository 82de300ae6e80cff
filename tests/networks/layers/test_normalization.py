"""Modes, axes and keys; numbers of Keras itself are compared in test_oracle."""

import pytest
import torch
from torch import nn

from rmldnn.networks import keras
from rmldnn.networks.compile import build as compiled


@pytest.fixture
def of_keras_3():
    """Builds a network of one layer as a file of Keras 3 would describe it."""

    def build(class_name, shape, **config):
        graph = keras.read(
            {
                "class_name": "Sequential",
                "keras_version": "3.0.0",
                "config": {
                    "name": "net",
                    "layers": [
                        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *shape]}},
                        {"class_name": class_name, "config": {"name": "layer", **config}},
                    ],
                },
            }
        )
        return compiled(graph)

    return build


def normalised(x, dims, epsilon):
    """The formula, in 64 bits."""
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon)


def test_batch_norm_normalises_channels_in_training(build):
    module = build("BatchNormalization", [4, 5, 3], epsilon=0.1).double().train()
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(module(x), normalised(x, (0, 2, 3), 0.1))


def test_batch_norm_over_another_axis(build):
    module = build("BatchNormalization", [4, 5, 3], axis=2, epsilon=0.1).double().train()
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(module(x), normalised(x, (0, 1, 2), 0.1))


@pytest.mark.parametrize(("shape", "correction"), [([3, 2], 0), ([3, 4, 2], 1)])
def test_the_running_variance_of_keras_2_depends_on_the_rank(build, shape, correction):
    module = build("BatchNormalization", shape, momentum=0.75).train()
    x = torch.rand(4, 2, *shape[:-1])
    module(x)
    expected = 0.75 + 0.25 * x.transpose(0, 1).flatten(1).var(1, correction=correction)
    torch.testing.assert_close(module.layer.running_var, expected)


def test_the_running_variance_of_keras_3_is_biased(of_keras_3):
    module = of_keras_3("BatchNormalization", [3, 4, 2], momentum=0.75).train()
    x = torch.rand(4, 2, 3, 4)
    module(x)
    expected = 0.75 + 0.25 * x.transpose(0, 1).flatten(1).var(1, correction=0)
    torch.testing.assert_close(module.layer.running_var, expected)


def test_the_running_mean_moves_by_what_momentum_leaves(build):
    module = build("BatchNormalization", [2], momentum=0.75).train()
    x = torch.rand(4, 2)
    module(x)
    torch.testing.assert_close(module.layer.running_mean, 0.25 * x.mean(0))


def test_one_value_per_channel_has_variance_0(build):
    module = build("BatchNormalization", [2], momentum=0.75).train()
    assert module(torch.rand(1, 2)).tolist() == [[0, 0]]
    assert module.layer.running_var.tolist() == [0.75, 0.75]


def test_a_batch_norm_may_be_called_twice_before_the_backward_pass(of_keras_3):
    module = of_keras_3("BatchNormalization", [2]).train()
    x = torch.rand(4, 2, requires_grad=True)
    (module(x) * module(2 * x)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("class_name", ["BatchNormalization", "LayerNormalization", "GroupNormalization"])
@pytest.mark.parametrize(("scale", "center"), [(True, False), (False, True), (False, False)])
def test_weight_and_bias_may_each_be_left_out(build, class_name, scale, center):
    groups = {"groups": 1} if class_name == "GroupNormalization" else {}
    module = build(class_name, [4, 2], scale=scale, center=center, **groups)
    assert (module.layer.weight is not None, module.layer.bias is not None) == (scale, center)
    assert module(torch.rand(3, 2, 4)).shape == (3, 2, 4)


def test_batch_norm_is_a_batch_norm_of_torch(build):
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(build("BatchNormalization", [4, 5, 2], scale=False).layer)
    assert (converted.weight, converted.bias.tolist()) == (None, [0, 0])


def test_initial_statistics(build):
    module = build(
        "BatchNormalization", [2], moving_variance_initializer={"class_name": "Constant", "config": {"value": 4.0}}
    )
    assert (module.layer.running_mean.tolist(), module.layer.running_var.tolist()) == ([0, 0], [4, 4])


def test_renormalisation_is_refused(complaint):
    assert "renorm" in complaint("BatchNormalization", [2], renorm=True)


def test_batch_norm_of_several_axes_is_refused(complaint):
    assert "axis [1, 2] must be one axis" in complaint("BatchNormalization", [3, 2], axis=[1, 2])


@pytest.mark.parametrize(
    ("axis", "dims"),
    [(-1, (1,)), ([1], (2,)), ([1, 2], (2, 3)), ([1, 2, 3], (1, 2, 3)), ([2, 3], (1, 3)), ([-1, 1], (1, 2))],
)
def test_layer_norm_takes_keras_axes(build, axis, dims):
    module = build("LayerNormalization", [4, 5, 3], axis=axis, epsilon=0.1).double()
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(module(x), normalised(x, dims, 0.1))


def test_weights_of_a_layer_norm_are_in_keras_order(build):
    module = build("LayerNormalization", [4, 5, 3], axis=[1, 2, 3])
    gamma = torch.rand(4, 5, 3)
    _, variable, parameter = next(module.variables())
    variable.view(parameter).copy_(gamma)
    x = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(module(x), normalised(x, (1, 2, 3), 1e-3) * gamma.permute(2, 0, 1))


def test_a_layer_norm_without_weights_takes_any_extent(build):
    module = build("LayerNormalization", [None, 3], axis=[1, 2], scale=False, center=False)
    x = torch.rand(2, 3, 7)
    torch.testing.assert_close(module(x), normalised(x, (1, 2), 1e-3))


def test_a_layer_norm_with_weights_needs_extents(complaint):
    assert "axis 1 of its input of ? x 3 has no fixed extent" in complaint("LayerNormalization", [None, 3], axis=1)


def test_rms_scaling_divides_by_the_deviation(of_keras_3):
    module = of_keras_3("LayerNormalization", [4, 3], rms_scaling=True, scale=False)
    x = torch.rand(2, 3, 4)
    torch.testing.assert_close(module(x), x / torch.sqrt(x.var(1, correction=0, keepdim=True) + 1e-3))


def test_rms_norm(of_keras_3):
    module = of_keras_3("RMSNormalization", [4, 3], axis=1, epsilon=0.1)
    x = torch.rand(2, 3, 4)
    torch.testing.assert_close(module(x), x / torch.sqrt(x.square().mean(2, keepdim=True) + 0.1))


@pytest.mark.parametrize(("groups", "size"), [(-1, 1), (2, 2), (1, 4)])
def test_groups_are_neighbours(build, groups, size):
    module = build("GroupNormalization", [5, 4], groups=groups)
    x = torch.rand(2, 4, 5)
    expected = normalised(x.unflatten(1, (-1, size)), (2, 3), 1e-3).flatten(1, 2)
    torch.testing.assert_close(module(x), expected)


def test_groups_must_divide_the_channels(complaint):
    assert "groups 3 does not divide the channels of its input, 4" in complaint("GroupNormalization", [5, 4], groups=3)


def test_unit_vectors(build):
    x = torch.rand(2, 3, 4)
    torch.testing.assert_close(build("UnitNormalization", [4, 3], axis=1)(x).norm(dim=2), torch.ones(2, 3))


def test_a_vector_of_zeros_stays(build):
    assert build("UnitNormalization", [3])(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_instance_norm_has_torch_keys(build):
    module = build(
        "InstanceNormalization", [4, 5, 2], affine=False, track_running_stats=False, momentum=0.1, epsilon=0.1
    )
    x = torch.rand(3, 2, 4, 5)
    torch.testing.assert_close(module(x), normalised(x, (2, 3), 0.1))
    assert not list(module.parameters())


def test_instance_norm_has_the_keys_of_tensorflow_addons(build):
    module = build("InstanceNormalization", [4, 5, 2], groups=-1, axis=3, center=True, scale=False)
    assert (module.layer.weight, module.layer.bias.tolist()) == (None, [0, 0])


def test_instance_norm_may_track_statistics(build):
    module = build("InstanceNormalization", [4, 2], track_running_stats=True).train()
    x = torch.rand(3, 2, 4)
    module(x)
    torch.testing.assert_close(module.layer.running_mean, 0.1 * x.mean((0, 2)))
    mean, variance = module.layer.running_mean[:, None], module.layer.running_var[:, None]
    torch.testing.assert_close(module.eval()(x), (x - mean) / torch.sqrt(variance + 1e-5))


def test_instance_norm_needs_places(complaint):
    assert "needs places to normalise over" in complaint("InstanceNormalization", [4])
