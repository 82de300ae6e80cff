"""Layers of `keras.applications`."""

import torch


def test_layer_scale_has_a_factor_for_each_channel(build):
    module = build("LayerScale", (4, 3), init_values=0.5, projection_dim=3)
    x = torch.rand(2, 3, 4)
    torch.testing.assert_close(module(x), x / 2)
    assert module.layer.weight.shape == (3,)


def test_layer_scale_must_fit(complaint):
    assert "projection_dim 4" in complaint("LayerScale", (4, 3), init_values=0.5, projection_dim=4)


def test_a_part_of_the_second_input_is_added(build):
    module = build("CustomScaleLayer", (4, 3), (4, 3), scale=0.25)
    x, y = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    torch.testing.assert_close(module(x, y), x + y / 4)
