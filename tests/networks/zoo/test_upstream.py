"""The original tool's network files: the same layers in the same wiring, with the same keys."""

import json
import re
from collections import defaultdict

import pytest

GREY = {"input_shape": [224, 224, 1]}
FILES = [
    ("networks/classification/VGG16/network.json", "vgg16", GREY),
    ("networks/classification/ResNet50/network.json", "resnet50", GREY),
    ("networks/classification/ResNet101/network.json", "resnet101", GREY),
    ("networks/classification/ResNet50V2/network.json", "resnet50v2", GREY),
    ("networks/classification/ResNet152V2/network.json", "resnet152v2", GREY),
    ("networks/classification/MobileNet/network.json", "mobilenet", GREY),
    ("networks/classification/MobileNetV2/network.json", "mobilenetv2", GREY),
    ("networks/classification/DenseNet121/network.json", "densenet121", GREY),
    ("networks/classification/DenseNet201/network.json", "densenet201", GREY),
    ("networks/classification/InceptionV3/network.json", "inceptionv3", GREY),
    ("networks/segmentation/Unet/VGG16/network.json", "unet", {"num_classes": 3}),
    ("networks/segmentation/Unet/ResNet18/network.json", "unet", {"backbone": "resnet18", "num_classes": 3}),
    ("networks/segmentation/Unet/MobileNetv2/network.json", "unet", {"backbone": "mobilenetv2", "num_classes": 3}),
    ("networks/segmentation/Unet/DenseNet201/network.json", "unet", {"backbone": "densenet201", "num_classes": 3}),
    ("networks/object_detection/YOLOv3/network.json", "yolov3", {}),
    ("tutorials/brain_MRI_image_segmentation/layers_resunet.json", "resunet", {}),
]


@pytest.mark.parametrize(("file", "network", "options"), FILES, ids=[file for file, *_ in FILES])
def test_is_the_network_of_the_original(shared, networks, file, network, options):
    model = json.loads((shared / "upstream" / file).read_text())["config"]
    graph = networks[network](**options)
    assert described(
        (node.class_name, node.name, [ref.layer for ref in node.inbound[0]], node.config) for node in graph.nodes
    ) == described(
        (layer["class_name"], layer["config"]["name"], [name for name, *_ in inputs(layer)], layer["config"])
        for layer in model["layers"]
    )


def inputs(layer):
    return layer["inbound_nodes"][0] if layer["inbound_nodes"] else []


def described(layers):
    """Class, inputs and keys of each layer by its name; layers that Keras named count from 0 in their own order."""
    layers, numbered = list(layers), defaultdict(list)
    for class_name, name, _, _ in layers:
        if found := re.fullmatch(rf"({automatic(class_name)})(?:_(\d+))?", name):
            numbered[found[1]].append((int(found[2] or 0), name))
    names = {name: name for _, name, _, _ in layers}
    for stem, found in numbered.items():
        names |= {name: f"{stem} {rank}" for rank, (_, name) in enumerate(sorted(found))}
    return {
        names[name]: (class_name, [names[source] for source in sources], keys(config))
        for class_name, name, sources, config in layers
    }


def automatic(class_name):
    return "input" if class_name == "InputLayer" else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name).lower()


def keys(config):
    """The keys that matter, each in one spelling."""
    found = {key: spelt(key, value) for key, value in config.items() if key not in IGNORED and value is not None}
    return {key: value for key, value in found.items() if DEFAULTS.get(key, ...) != value}


IGNORED = (
    *("name", "trainable", "dtype", "data_format", "sparse", "ragged", "noise_shape", "seed"),
    *("kernel_regularizer", "beta_initializer", "gamma_initializer"),
    *("moving_mean_initializer", "moving_variance_initializer"),
)
DEFAULTS = {
    "dilation_rate": [1, 1], "groups": 1, "depth_multiplier": 1, "negative_slope": 0.0, "threshold": 0.0,
    "interpolation": "nearest", "keepdims": False,
}  # fmt: skip


def spelt(key, value):
    if key == "axis":
        return [3 if axis == -1 else axis for axis in (value if isinstance(value, list) else [value])]
    if key == "momentum" and value == 0.1:  # the original meant what Keras calls 0.9
        return 0.9
    match value:
        case {"class_name": "VarianceScaling", "config": {"mode": "fan_avg", "distribution": "uniform"}}:
            return "glorot_uniform"
        case {"class_name": str(name)}:
            return automatic(name)
    return value
