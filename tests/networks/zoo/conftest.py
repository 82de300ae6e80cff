from importlib import import_module
from math import prod
from pathlib import Path

import pytest

from rmldnn.networks import zoo


@pytest.fixture(scope="session")
def networks():
    """The components of the zoo, by name."""
    modules = [import_module(f"{zoo.__name__}.{file.stem}") for file in Path(zoo.__file__).parent.glob("[!_]*.py")]
    functions = [value for module in modules for value in vars(module).values()]
    return {function.component_name: function for function in functions if hasattr(function, "component_name")}


@pytest.fixture(scope="session")
def count():
    """Counts a graph's parameters, running means and variances included, as Keras does."""
    return _count


def _count(graph, flattened=1):
    """`flattened` is the number of cells that `Flatten` sees."""
    total, channels = 0, {}
    for node, _, sources in graph.calls:
        config, given = node.config, [channels[ref.layer] for ref in sources]
        out, window = config.get("filters", given[0] if given else 0), prod(config.get("kernel_size", ()))
        match node.class_name:
            case "InputLayer":
                out = config["batch_input_shape"][-1]
            case "Conv2D" | "Conv3D" | "Conv2DTranspose" | "Conv3DTranspose":
                total += window * given[0] * out + config["use_bias"] * out
            case "DepthwiseConv2D":
                total += window * out
            case "SeparableConv2D":
                total += window * given[0] + given[0] * out
            case "BatchNormalization":
                total += (3 + config["scale"]) * out
            case "InstanceNormalization":
                total += 2 * out
            case "Dense":
                out = config["units"]
                total += given[0] * out + config["use_bias"] * out
            case "Concatenate" if config["axis"] != 1:
                out = sum(given)
            case "Reshape":
                out = config["target_shape"][-1]
            case "Flatten":
                out = given[0] * flattened
        channels[node.name] = out
    return total
