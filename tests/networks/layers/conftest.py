import pytest

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network


@pytest.fixture
def build():
    """Builds a network of one layer on inputs of the given Keras shapes, batch left away."""

    def build(class_name, *shapes, **config):
        names = [f"in{index}" for index in range(len(shapes))]
        inputs = [
            {"class_name": "InputLayer", "config": {"name": name, "batch_input_shape": [None, *shape]}}
            for name, shape in zip(names, shapes, strict=True)
        ]
        layer = {"class_name": class_name, "config": {"name": "layer", **config}}
        return network(layers=[*inputs, {**layer, "inbound_nodes": [[[name, 0, 0, {}] for name in names]]}])

    return build


@pytest.fixture
def complaint(build):
    """What the layer says when it cannot be built."""

    def complaint(*args, **config):
        with pytest.raises(NetworkError) as caught:
            build(*args, **config)
        return str(caught.value)

    return complaint
