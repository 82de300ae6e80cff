"""What Keras' own builders make: `keras.applications`, `classification_models` and `segmentation_models` 1.0.1.

Each row has the network and its options, Keras' number of parameters, the number of layers, and the first digits of
the SHA-256 of all layers, each as a line of class, name and inputs, sorted.
"""

from hashlib import sha256

import pytest

NETWORKS = [
    ("vgg16", {}, 138357544, 23, "227835c9adb1"),
    ("vgg19", {}, 143667240, 26, "f9d18cb82c5f"),
    ("resnet18", {}, 11699889, 89, "77c42987164a"),
    ("resnet34", {}, 21815473, 161, "85d74f570415"),
    ("resnet50", {}, 25636712, 177, "15f3aeb262dd"),
    ("resnet101", {}, 44707176, 347, "6e1c6bac022c"),
    ("resnet152", {}, 60419944, 517, "959862ae4c46"),
    ("resnet50v2", {}, 25613800, 192, "f156663262e2"),
    ("resnet101v2", {}, 44675560, 379, "de898f82b340"),
    ("resnet152v2", {}, 60380648, 566, "9193008ecad8"),
    ("mobilenet", {}, 4253864, 91, "80e0f0b81a7d"),
    ("mobilenetv2", {}, 3538984, 156, "00bf531f97c5"),
    ("densenet121", {}, 8062504, 429, "2380e9a6f078"),
    ("densenet169", {}, 14307880, 597, "b13027c69738"),
    ("densenet201", {}, 20242984, 709, "e1f895bf8f3f"),
    ("inceptionv3", {}, 23851784, 313, "474e6adf1f89"),
    ("xception", {}, 22910480, 134, "26d23f89bed6"),
    ("mobilenet", {"alpha": 0.25, "input_shape": [97, 130, 3]}, 475544, 91, "80e0f0b81a7d"),
    ("mobilenetv2", {"alpha": 0.35, "input_shape": [97, 130, 3]}, 1691208, 156, "00bf531f97c5"),
    ("mobilenetv2", {"alpha": 0.5, "input_shape": [97, 130, 3]}, 1987224, 156, "00bf531f97c5"),
    ("mobilenetv2", {"alpha": 1.4, "input_shape": [97, 130, 3]}, 6156712, 156, "00bf531f97c5"),
    ("unet", {"backbone": "vgg16", "num_classes": 3}, 23752563, 66, "1d5e84915bb1"),
    ("unet", {"backbone": "vgg19", "num_classes": 3}, 29062259, 69, "acce31a29160"),
    ("unet", {"backbone": "resnet18", "num_classes": 3}, 14340860, 127, "cea4166ce763"),
    ("unet", {"backbone": "resnet34", "num_classes": 3}, 24456444, 199, "b01478ebbea3"),
    ("unet", {"backbone": "resnet50", "num_classes": 3}, 32561404, 231, "4ce0c2500f94"),
    ("unet", {"backbone": "resnet101", "num_classes": 3}, 51605756, 418, "4b9bf9b6d6ee"),
    ("unet", {"backbone": "resnet152", "num_classes": 3}, 67295484, 605, "8230b64067b0"),
    ("unet", {"backbone": "mobilenet", "num_classes": 3}, 8336627, 128, "1bbb98cebc5f"),
    ("unet", {"backbone": "mobilenetv2", "num_classes": 3}, 8047731, 196, "884ed7f96ed9"),
    ("unet", {"backbone": "densenet121", "num_classes": 3}, 12145267, 468, "0d6afff8cd24"),
    ("unet", {"backbone": "densenet169", "num_classes": 3}, 19520115, 636, "68a4434e3c47"),
    ("unet", {"backbone": "densenet201", "num_classes": 3}, 26378867, 748, "1dc1fdcdd66c"),
    ("unet", {"backbone": "inceptionv3", "num_classes": 3}, 29933395, 352, "915a9bc72d9f"),
    ("fpn", {"backbone": "vgg16"}, 17572545, 66, "580552a2a580"),
    ("fpn", {"backbone": "vgg19"}, 22882241, 69, "ab8a220721d1"),
    ("fpn", {"backbone": "resnet18"}, 13815370, 133, "d11a0d087f2c"),
    ("fpn", {"backbone": "resnet34"}, 23930954, 205, "638e7fb6d398"),
    ("fpn", {"backbone": "resnet50"}, 26911818, 237, "0d754b1c99c8"),
    ("fpn", {"backbone": "resnet101"}, 45956170, 424, "2382c9d62afa"),
    ("fpn", {"backbone": "resnet152"}, 61645898, 611, "3b6bc4ec4835"),
    ("fpn", {"backbone": "mobilenet"}, 6103105, 134, "a857d823a0a3"),
    ("fpn", {"backbone": "mobilenetv2"}, 5210049, 202, "f3b76bda704c"),
    ("fpn", {"backbone": "densenet121"}, 9911745, 474, "b594abeebb34"),
    ("fpn", {"backbone": "densenet169"}, 15713729, 642, "29f5cc66f2db"),
    ("fpn", {"backbone": "densenet201"}, 21523905, 754, "afef9b9b22d0"),
    ("fpn", {"backbone": "inceptionv3"}, 25029281, 358, "c38e819e1a68"),
    ("linknet", {"backbone": "vgg16"}, 20325137, 81, "992e56216ce7"),
    ("linknet", {"backbone": "vgg19"}, 25634833, 84, "de8433a42a1d"),
    ("linknet", {"backbone": "resnet18"}, 11521690, 142, "538ba74572e5"),
    ("linknet", {"backbone": "resnet34"}, 21637274, 214, "7b7bfd59339b"),
    ("linknet", {"backbone": "resnet50"}, 28783386, 246, "8c003dcdf5e3"),
    ("linknet", {"backbone": "resnet101"}, 47827738, 433, "6eb5099645ee"),
    ("linknet", {"backbone": "resnet152"}, 63517466, 620, "135c6852c7fe"),
    ("linknet", {"backbone": "mobilenet"}, 4546065, 143, "16728355496a"),
    ("linknet", {"backbone": "mobilenetv2"}, 4144577, 211, "9ded4506d092"),
    ("linknet", {"backbone": "densenet121"}, 8354705, 483, "128627c912ad"),
    ("linknet", {"backbone": "densenet169"}, 15623057, 651, "120558e82502"),
    ("linknet", {"backbone": "densenet201"}, 22549393, 763, "92734666076f"),
    ("linknet", {"backbone": "inceptionv3"}, 26268401, 367, "1de5ded8014a"),
    ("pspnet", {"backbone": "vgg16"}, 10009409, 41, "fd6802361a22"),
    ("pspnet", {"backbone": "vgg19"}, 12959297, 43, "e6bf22426716"),
    ("pspnet", {"backbone": "resnet18"}, 2079946, 75, "7f2ffb194d8f"),
    ("pspnet", {"backbone": "resnet34"}, 2746058, 102, "fcf1d2130e34"),
    ("pspnet", {"backbone": "resnet50"}, 3826378, 116, "8f327c6fd7b7"),
    ("pspnet", {"backbone": "resnet101"}, 3826378, 116, "8f327c6fd7b7"),
    ("pspnet", {"backbone": "resnet152"}, 4952778, 160, "6e02ff568ce0"),
    ("pspnet", {"backbone": "mobilenet"}, 1855937, 64, "7828b8f14891"),
    ("pspnet", {"backbone": "mobilenetv2"}, 1620865, 85, "4446eec46d2f"),
    ("pspnet", {"backbone": "densenet121"}, 3163713, 167, "93598bd3f33b"),
    ("pspnet", {"backbone": "densenet169"}, 3163713, 167, "93598bd3f33b"),
    ("pspnet", {"backbone": "densenet201"}, 3163713, 167, "93598bd3f33b"),
    ("pspnet", {"backbone": "inceptionv3"}, 2793761, 114, "d036d4da256e"),
    (
        "unet",
        {
            "backbone": "resnet34",
            "decoder": "transpose",
            "batch_norm": False,
            "filters": [128, 64, 32],
            "input_shape": [64, 96, 1],
        },
        23089956,
        175,
        "5d96fe6c90e9",
    ),
    ("unet", {"backbone": "vgg19", "decoder": "transpose"}, 30284113, 64, "9cdca36cce90"),
    (
        "fpn",
        {"backbone": "resnet34", "filters": 64, "batch_norm": False, "aggregation": "sum", "dropout": 0.2},
        21488714,
        197,
        "4fbf7087811b",
    ),
    ("fpn", {"backbone": "resnet34", "filters": 512}, 31015370, 204, "4b727979603f"),
    ("linknet", {"backbone": "resnet34", "decoder": "transpose", "filters": 8}, 21791154, 209, "2fba084fed31"),
    ("linknet", {"backbone": "resnet34", "decoder": "transpose", "batch_norm": False}, 21788266, 194, "a616fc558e22"),
    (
        "pspnet",
        {
            "backbone": "resnet34",
            "downsampling": 4,
            "filters": 64,
            "pooling": "max",
            "batch_norm": False,
            "dropout": 0.1,
            "input_shape": [192, 192, 3],
        },
        274506,
        61,
        "90e12f41da7a",
    ),
    (
        "pspnet",
        {
            "backbone": "resnet34",
            "downsampling": 16,
            "filters": 64,
            "pooling": "max",
            "batch_norm": False,
            "dropout": 0.1,
            "input_shape": [192, 192, 3],
        },
        8282186,
        153,
        "94ce477a0cfc",
    ),
]
IDS = [f"{network}-{'-'.join(map(str, options.values()))}" for network, options, *_ in NETWORKS]
each = pytest.mark.parametrize(("network", "options", "parameters", "layers", "digits"), NETWORKS, ids=IDS)


@each
def test_has_keras_number_of_parameters(networks, count, network, options, parameters, layers, digits):
    assert count(networks[network](**options), flattened=7 * 7) == parameters


@each
def test_has_keras_layers_in_keras_wiring(networks, network, options, parameters, layers, digits):
    nodes = networks[network](**options).nodes
    lines = sorted(" ".join([node.class_name, node.name, *(ref.layer for ref in node.inbound[0])]) for node in nodes)
    assert (len(lines), sha256("\n".join(lines).encode()).hexdigest()[:12]) == (layers, digits)


@pytest.mark.parametrize(
    ("network", "options", "parameters"),
    [
        ("unet", {"backbone": "resnet50v2"}, 30257425),
        ("unet", {"backbone": "resnet101v2"}, 49319185),
        ("unet", {"backbone": "resnet152v2"}, 65024273),
        ("unet", {"backbone": "xception"}, 29443385),
        ("linknet", {"backbone": "resnet50v2"}, 27195857),
        ("fpn", {"backbone": "xception"}, 24206761),
        ("pspnet", {"backbone": "xception"}, 3312001),
        ("resunet", {"depth": 18, "num_classes": 3}, 14340860),
        ("unet2d", {}, 31048257),
        (
            "unet2d",
            {
                "input_shape": [32, 64, 3],
                "norm": "none",
                "decoder": "upsampling",
                "depth": 2,
                "filters": 8,
                "num_classes": 4,
            },
            29788,
        ),
        ("unet3d", {}, 5603937),
        ("yolov3", {}, 62001757),
        ("yolov3", {"num_classes": 2}, 61581727),
        ("dcgan_generator", {}, 12662275),
        ("dcgan_generator", {"image_shape": [28, 28, 1]}, 1782273),
        ("dcgan_discriminator", {}, 11039873),
    ],
)
def test_keras_counts_the_same_parameters_in_our_own(networks, count, network, options, parameters):
    assert count(networks[network](**options), flattened=4 * 4) == parameters
