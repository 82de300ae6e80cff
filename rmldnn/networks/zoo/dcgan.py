"""Deep convolutional generative adversarial networks; Radford et al., 2015."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from typing import Any

from rmldnn.component import component, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft
from rmldnn.types import Count

INITIAL: dict[str, Any] = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


@component("dcgan_generator")
def dcgan_generator(
    *, latent: Count = 100, image_shape: list[Count] = [64, 64, 3], filters: Count = 128, activation: str = "tanh"
) -> Graph:
    """Makes images of random numbers.

    Args:
        latent: How many random numbers it takes.
        image_shape: Height, width and channels of the images. The first layer makes the smallest image from which
            doublings lead there: 4 x 4 for 64 x 64, 7 x 7 for 28 x 28.
        filters: Of the last layer but one; each layer before it has twice those of the next.
        activation: Of the last layer: `tanh` for images between -1 and 1.
    """
    sizes = _sizes(image_shape)
    *halvings, smallest = sizes
    net = Draft("dcgan_generator")
    shape = (*smallest, filters * 2 ** (len(halvings) - 1))
    x = net.input([latent], axes=0)
    x = net.dense(x, shape[0] * shape[1] * shape[2], use_bias=False, initializer=INITIAL, name="project")
    x = net.layer("Reshape", x, shape, "reshape", target_shape=list(shape))
    for number in reversed(range(len(halvings))):
        x = net.batch_norm(x, momentum=0.9, epsilon=1e-5, name=f"bn{number + 1}")
        x = net.activation(x, "relu", name=f"relu{number + 1}")
        last = number == 0
        x = net.transpose(
            x,
            image_shape[2] if last else filters * 2 ** (number - 1),
            4,
            use_bias=last,
            activation=activation if last else "linear",
            initializer=INITIAL,
            name="image" if last else f"transpose{number}",
        )
    return net.graph(x)


@component("dcgan_discriminator")
def dcgan_discriminator(
    *,
    input_shape: list[Count] = [64, 64, 3],
    filters: Count = 128,
    activation: str = "sigmoid",
    batch_norm: bool = True,
) -> Graph:
    """Tells images that were made from those that were found.

    Args:
        input_shape: Height, width and channels of the images; halved as long as the generator doubles them.
        filters: Of the first layer; each next layer has twice those of the one before.
        activation: Of the result, one number: `sigmoid` for the losses `GAN` and `BCE`, `linear` for a critic.
        batch_norm: Whether layers are normalised by the batch; false for a critic with a gradient penalty.
    """
    net = Draft("dcgan_discriminator")
    x = net.input(input_shape)
    for number in range(len(_sizes(input_shape, "input_shape")) - 1):
        x = net.conv(
            x,
            filters * 2**number,
            4,
            2,
            "same",
            use_bias=number == 0 or not batch_norm,
            initializer=INITIAL,
            name=f"conv{number}",
        )
        if number > 0 and batch_norm:
            x = net.batch_norm(x, momentum=0.9, epsilon=1e-5, name=f"bn{number}")
        x = net.layer("LeakyReLU", x, name=f"leaky{number}", alpha=0.2)
    return net.graph(net.dense(net.flatten(x, name="flatten"), 1, activation, initializer=INITIAL, name="real"))


def _sizes(shape: list[int], key: str = "image_shape") -> list[tuple[int, int]]:
    """Height and width of the images, then of each halving of them, down to no less than 4."""
    if len(shape) != 3:
        raise NetworkError(Problem(key, f"must be height, width and channels, such as [64, 64, 3], got {show(shape)}"))
    sizes = [(shape[0], shape[1])]
    while min(sizes[-1]) >= 8 and not any(extent % 2 for extent in sizes[-1]):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    if len(sizes) == 1:
        raise NetworkError(
            Problem(key, f"height and width must be even and at least 8, got {show(shape)}; resize the images")
        )
    return sizes
