"""Layers that are not Keras' own, but of networks in `keras.applications`."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Shapes
from rmldnn.networks.layers.merge import add
from rmldnn.networks.layout import size
from rmldnn.networks.variable import Variable
from rmldnn.types import Count


class Scale(nn.Module):
    """One factor for each channel of (N, C, *spatial).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        return x * self.weight.view(-1, *(1 for _ in x.shape[2:]))

    def reset_parameters(self) -> None:
        """Changes nothing at first."""
        nn.init.ones_(self.weight)


@component("LayerScale")
def layer_scale(shape: Shape, *, init_values: float, projection_dim: Count) -> Layer:
    """A factor for each channel, of ConvNeXt (Touvron et al., 2021).

    Args:
        shape: Keras shape of the input.
        init_values: Initial factors.
        projection_dim: Number of channels.
    """
    if shape[-1] != projection_dim:
        raise NetworkError(f"projection_dim {projection_dim} are not the channels of its input of {size(shape)}")
    first = {"class_name": "Constant", "config": {"value": init_values}}
    gamma = Variable("gamma", "weight", (projection_dim,), initializer=first)
    return Layer(shape, (initialized(Scale, projection_dim, variables=[gamma]),), variables=(gamma,))


@component("CustomScaleLayer")
def custom_scale_layer(shapes: Shapes, *, scale: float) -> Layer:
    """The first input and a part of the second, of InceptionResNetV2.

    Args:
        shapes: Keras shapes of the inputs.
        scale: The part.
    """
    if len(shapes) != 2:
        raise NetworkError(f"takes two inputs, got {len(shapes)}; change `inbound_nodes`")
    return Layer(add(shapes).shape, (partial(torch.add, alpha=scale),))
