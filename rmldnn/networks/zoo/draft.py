"""A network being drawn, layer by layer, in the way of Keras' functional API.

Layers get the classes, keys and names that Keras gives them, the automatic names included (`add`, `add_1`, ...).
Initial values are written out: where a file names none, they would be torch's own instead of Keras'.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rmldnn.component import show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph, Node, Ref

Shape: TypeAlias = tuple[int | None, ...]
Extents: TypeAlias = int | Sequence[int]
"""One number for all axes, or one for each."""
Initializer: TypeAlias = str | dict[str, Any]


@dataclass(frozen=True)
class Tensor:
    """What a layer gives.

    Args:
        layer: The layer's name.
        shape: Its Keras shape without the batch; None where any extent will do.
    """

    layer: str
    shape: Shape

    @property
    def spatial(self) -> Shape:
        """The extents: height and width, or depth, height and width."""
        return self.shape[:-1]

    @property
    def channels(self) -> int:
        """The last extent, which is always known."""
        channels = self.shape[-1]
        assert channels is not None  # noqa: S101 - `Draft.input` sees to it
        return channels


class Draft:
    """Remembers layers and gives the tensors that further layers take.

    Args:
        title: What the network is called.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._nodes: dict[str, Node] = {}
        self._tensors: dict[str, Tensor] = {}
        self._unnamed: Counter[str] = Counter()

    def __getitem__(self, layer: str) -> Tensor:
        return self._tensors[layer]

    def layer(
        self,
        class_name: str,
        sources: Tensor | Sequence[Tensor],
        shape: Shape | None = None,
        name: str = "",
        **config: Any,
    ) -> Tensor:
        """Adds any layer.

        Args:
            class_name: Keras' class.
            sources: What it takes.
            shape: What it gives; the shape of the first source if not given.
            name: What it is called; Keras' automatic name if empty.
            config: Its keys.
        """
        if isinstance(sources, Tensor):
            sources = [sources]
        name = name or self._automatic_name(class_name)
        inbound = (tuple(Ref(source.layer) for source in sources),)
        self._nodes[name] = Node(name, class_name, {"name": name, **config}, inbound)
        self._tensors[name] = Tensor(name, sources[0].shape if shape is None else shape)
        return self._tensors[name]

    def graph(self, output: Tensor) -> Graph:
        """The network that ends in `output`: the layers that lead there, in the order in which they were added."""
        needed = {output.layer}
        for node in reversed(self._nodes.values()):
            if node.name in needed:
                needed.update(ref.layer for sources in node.inbound for ref in sources)
        nodes = tuple(node for node in self._nodes.values() if node.name in needed)
        inputs = tuple(Ref(node.name) for node in nodes if node.class_name == "InputLayer")
        return Graph(self.title, nodes, inputs, (Ref(output.layer),))

    def input(
        self, shape: Sequence[int | None], *, minimum: int = 1, multiple: int = 1, axes: int = 2, name: str = "input_1"
    ) -> Tensor:
        """Adds the input.

        Args:
            shape: Extents and channels, as the user wrote them in `input_shape`.
            minimum: The least extent that the network can take.
            multiple: What extents must be multiples of, for what goes down to come up at the same size.
            axes: How many extents there are.
            name: What it is called.

        Raises:
            NetworkError: The network cannot take this shape.
        """
        if fault := _input_fault(self.title, list(shape), minimum, multiple, axes):
            raise NetworkError(Problem("input_shape", fault))
        config = {"name": name, "batch_input_shape": [None, *shape]}
        self._nodes[name] = Node(name, "InputLayer", config, ((),))
        self._tensors[name] = Tensor(name, tuple(shape))
        return self._tensors[name]

    def conv(
        self,
        x: Tensor,
        filters: int,
        kernel: Extents,
        strides: int = 1,
        padding: str = "valid",
        *,
        use_bias: bool = True,
        activation: str = "linear",
        initializer: Initializer = "glorot_uniform",
        name: str = "",
    ) -> Tensor:
        """Adds a convolution over as many axes as `x` has."""
        size = _each(kernel, x)
        return self.layer(
            f"Conv{len(x.spatial)}D", x, (*_windows(x, size, strides, padding), filters), name,
            filters=filters, kernel_size=size, strides=_each(strides, x), padding=padding, use_bias=use_bias,
            activation=activation, kernel_initializer=initializer, bias_initializer="zeros",
        )  # fmt: skip

    def transpose(
        self,
        x: Tensor,
        filters: int,
        kernel: int,
        strides: int = 2,
        *,
        use_bias: bool = True,
        activation: str = "linear",
        initializer: Initializer = "glorot_uniform",
        name: str = "",
    ) -> Tensor:
        """Adds a transposed convolution, which multiplies the extents by the strides."""
        return self.layer(
            f"Conv{len(x.spatial)}DTranspose", x, (*_times(x, strides), filters), name,
            filters=filters, kernel_size=_each(kernel, x), strides=_each(strides, x), padding="same", use_bias=use_bias,
            activation=activation, kernel_initializer=initializer, bias_initializer="zeros",
        )  # fmt: skip

    def depthwise(self, x: Tensor, kernel: int, strides: int, padding: str, *, name: str = "") -> Tensor:
        """Adds a convolution of each channel by itself, without bias."""
        size = _each(kernel, x)
        return self.layer(
            "DepthwiseConv2D", x, (*_windows(x, size, strides, padding), x.channels), name,
            kernel_size=size, strides=_each(strides, x), padding=padding, use_bias=False,
            activation="linear", depthwise_initializer="glorot_uniform", bias_initializer="zeros",
        )  # fmt: skip

    def separable(self, x: Tensor, filters: int, kernel: int, *, name: str = "") -> Tensor:
        """Adds a convolution of each channel by itself followed by one over the channels, `same`, without bias."""
        return self.layer(
            "SeparableConv2D", x, (*x.spatial, filters), name,
            filters=filters, kernel_size=_each(kernel, x), strides=_each(1, x), padding="same", use_bias=False,
            activation="linear", depthwise_initializer="glorot_uniform", pointwise_initializer="glorot_uniform",
            bias_initializer="zeros",
        )  # fmt: skip

    def batch_norm(
        self, x: Tensor, *, momentum: float = 0.99, epsilon: float = 1e-3, scale: bool = True, name: str = ""
    ) -> Tensor:
        """Adds a batch normalization of the channels."""
        return self.layer(
            "BatchNormalization", x, name=name,
            axis=[len(x.shape)], momentum=momentum, epsilon=epsilon, center=True, scale=scale,
        )  # fmt: skip

    def activation(self, x: Tensor, function: str, *, name: str = "") -> Tensor:
        """Adds an activation."""
        return self.layer("Activation", x, name=name, activation=function)

    def pool(
        self,
        kind: Literal["Max", "Average"],
        x: Tensor,
        size: Extents,
        strides: Extents | None = None,
        padding: str = "valid",
        *,
        name: str = "",
    ) -> Tensor:
        """Adds a pooling; its windows lie side by side unless `strides` says otherwise."""
        strides = size if strides is None else strides
        window = _each(size, x)
        return self.layer(
            f"{kind}Pooling{len(x.spatial)}D", x, (*_windows(x, window, strides, padding), x.channels), name,
            pool_size=window, strides=_each(strides, x), padding=padding,
        )  # fmt: skip

    def zero_padding(self, x: Tensor, sides: int | Sequence[tuple[int, int]], *, name: str = "") -> Tensor:
        """Adds zeros around `x`: as many on all sides, or (before, after) for each axis."""
        pairs = [(sides, sides)] * len(x.spatial) if isinstance(sides, int) else sides
        spatial = (None if n is None else n + sum(pair) for n, pair in zip(x.spatial, pairs, strict=True))
        padding = [list(pair) for pair in pairs]
        return self.layer(f"ZeroPadding{len(x.spatial)}D", x, (*spatial, x.channels), name, padding=padding)

    def upsampling(self, x: Tensor, size: Extents = 2, *, interpolation: str = "nearest", name: str = "") -> Tensor:
        """Adds an enlargement by whole factors."""
        config: dict[str, Any] = {"size": _each(size, x)}
        if len(x.spatial) == 2:
            config["interpolation"] = interpolation
        return self.layer(f"UpSampling{len(x.spatial)}D", x, (*_times(x, size), x.channels), name, **config)

    def add(self, *sources: Tensor, name: str = "") -> Tensor:
        """Adds a sum."""
        return self.layer("Add", sources, name=name)

    def concatenate(self, *sources: Tensor, name: str = "") -> Tensor:
        """Adds a concatenation of channels."""
        shape = (*sources[0].spatial, sum(source.channels for source in sources))
        return self.layer("Concatenate", sources, shape, name, axis=len(shape))

    def flatten(self, x: Tensor, *, name: str = "") -> Tensor:
        """Adds a flattening; all extents must be known."""
        return self.layer("Flatten", x, (math.prod(extent or 0 for extent in x.shape),), name)

    def dense(
        self,
        x: Tensor,
        units: int,
        activation: str = "linear",
        *,
        use_bias: bool = True,
        initializer: Initializer = "glorot_uniform",
        name: str = "",
    ) -> Tensor:
        """Adds a fully connected layer."""
        return self.layer(
            "Dense", x, (*x.spatial, units), name,
            units=units, use_bias=use_bias, activation=activation, kernel_initializer=initializer,
            bias_initializer="zeros",
        )  # fmt: skip

    def global_average(self, x: Tensor, *, keepdims: bool = False, name: str = "") -> Tensor:
        """Adds the mean over all axes but the channels."""
        shape = ((1,) * len(x.spatial) if keepdims else ()) + (x.channels,)
        return self.layer(f"GlobalAveragePooling{len(x.spatial)}D", x, shape, name, keepdims=keepdims)

    def _automatic_name(self, class_name: str) -> str:
        stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name).lower()
        number = self._unnamed[stem]
        self._unnamed[stem] += 1
        return f"{stem}_{number}" if number else stem


def _input_fault(title: str, shape: list[int | None], minimum: int, multiple: int, axes: int) -> str:
    if len(shape) != axes + 1:
        wanted = "height, width" if axes == 2 else "depth, height, width"
        return f"must be {wanted} and channels, such as {[*[224] * axes, 3]}, got {show(shape)}"
    *spatial, channels = shape
    if channels is None:
        return f"the number of channels, which comes last, must be known, got {show(shape)}; write 1 for grey images"
    if any(extent is not None and extent < minimum for extent in spatial):
        return f"{title} takes no extent below {minimum}, got {show(shape)}; enlarge the images or use another network"
    if any(extent is not None and extent % multiple for extent in spatial):
        near = [extent and max(1, round(extent / multiple)) * multiple for extent in spatial]
        return (
            f"{title} needs extents that are multiples of {multiple}, such as {show(near)}, got {show(spatial)}; "
            "resize or pad the images"
        )
    return ""


def _each(extents: Extents, x: Tensor) -> list[int]:
    return [extents] * len(x.spatial) if isinstance(extents, int) else list(extents)


def _times(x: Tensor, factors: Extents) -> Shape:
    return tuple(None if n is None else n * factor for n, factor in zip(x.spatial, _each(factors, x), strict=True))


def _windows(x: Tensor, sizes: list[int], strides: Extents, padding: str) -> Shape:
    """How many windows there are along each axis."""
    return tuple(
        None if n is None else -(-n // stride) if padding == "same" else (n - size) // stride + 1
        for n, size, stride in zip(x.spatial, sizes, _each(strides, x), strict=True)
    )
