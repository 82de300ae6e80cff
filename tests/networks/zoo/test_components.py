import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rmldnn.component import form
from rmldnn.config import catalog
from rmldnn.errors import NetworkError
from rmldnn.networks import zoo
from rmldnn.networks.zoo.backbones import BACKBONES
from rmldnn.networks.zoo.draft import Draft

DECODERS = ("unet", "linknet", "fpn", "pspnet")


@pytest.fixture
def forms(monkeypatch):
    """What the catalog reads from the zoo's source text."""
    monkeypatch.setitem(catalog.GROUPS, "zoo", zoo.__name__)
    return catalog.group("zoo")


def refusal(network, **options):
    with pytest.raises(NetworkError) as error:
        network(**options)
    return str(error.value)


def test_the_catalog_reads_what_python_sees(networks, forms):
    assert {name: parameters.parameters for name, parameters in forms.items()} == {
        name: form(function).parameters for name, function in networks.items()
    }


def test_every_network_is_built_from_its_defaults_alone(networks):
    assert all(function().nodes for function in networks.values())


def test_every_option_is_documented(forms):
    named = {name: form.doc for name, form in forms.items() if "keys as in" not in form.doc}
    missing = {(name, key) for name, doc in named.items() for key in forms[name].parameters if f"{key}: " not in doc}
    assert not missing


def test_every_network_is_plain_json(networks):
    configs = [dict(node.config) for function in networks.values() for node in function().nodes]
    assert json.loads(json.dumps(configs)) == configs


def test_importing_the_zoo_loads_no_torch():
    modules = [f"{zoo.__name__}.{file.stem}" for file in Path(zoo.__file__).parent.glob("[!_]*.py")]
    check = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_all_classification_networks_are_backbones(networks):
    heads = {name for name in networks if "num_classes: Count = 1000" in inspect.getsource(networks[name])}
    assert set(BACKBONES) == heads


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_offers_every_backbone(networks, decoder):
    choices = form(networks[decoder]).parameters["backbone"].annotation.__args__
    assert sorted(choices) == sorted(BACKBONES)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_features_have_their_share_of_the_extents(backbone):
    net, encoder = Draft("small"), BACKBONES[backbone]
    last = encoder.body(net, net.input([192, 96, 3]))
    spatial = [net[layer].spatial for layer in encoder.features]
    assert [last.spatial, *spatial] == [(6, 3), (12, 6), (24, 12), (48, 24), (96, 48)]


@pytest.mark.parametrize(("network", "minimum"), [("resnet50", 32), ("xception", 71), ("inceptionv3", 75)])
def test_images_have_keras_least_size(networks, network, minimum):
    shape = [minimum - 1, minimum, 3]
    assert f"takes no extent below {minimum}, got {shape}" in refusal(networks[network], input_shape=shape)


def test_vgg_needs_known_extents(networks):
    assert "vgg16 ends in layers that take images of one size only, got [null, 32, 3]" in refusal(
        networks["vgg16"], input_shape=[None, 32, 3]
    )


def test_a_mobilenet_without_filters_is_refused(networks):
    assert (
        refusal(networks["mobilenet"], alpha=0.01) == "alpha: leaves no filters of 32, got 0.01; give at least 0.03125"
    )


@pytest.mark.parametrize("decoder", ["unet", "linknet", "fpn", "resunet"])
def test_decoders_need_multiples_of_32(networks, decoder):
    assert "needs extents that are multiples of 32, such as [64, 96], got [64, 100]" in refusal(
        networks[decoder], input_shape=[64, 100, 3]
    )


def test_pspnet_needs_known_extents(networks):
    assert "height and width must be known, got [null, 384, 3]; give multiples of 48" in refusal(
        networks["pspnet"], input_shape=[None, 384, 3]
    )


def test_pspnet_needs_multiples_of_six_times_its_downsampling(networks):
    assert "multiples of 96, such as [384, 192], got [384, 200]" in refusal(
        networks["pspnet"], input_shape=[384, 200, 3], downsampling=16
    )


def test_plain_unets_need_extents_that_can_be_halved(networks):
    assert "unet3d needs extents that are multiples of 4" in refusal(
        networks["unet3d"], depth=2, input_shape=[8, 8, 6, 1]
    )


@pytest.mark.parametrize("network", ["dcgan_generator", "dcgan_discriminator"])
def test_a_dcgan_needs_extents_that_can_be_halved(networks, network):
    key = "image_shape" if network == "dcgan_generator" else "input_shape"
    assert f"{key}: height and width must be even and at least 8, got [9, 9, 1]" in refusal(
        networks[network], **{key: [9, 9, 1]}
    )


def test_the_head_has_the_activation_and_classes_that_are_asked_for(networks):
    *_, head = networks["resnet50"](num_classes=7, activation="log_softmax").nodes
    assert (head.config["units"], head.config["activation"]) == (7, "log_softmax")


def test_open_extents_stay_open(networks):
    entry, *_ = networks["densenet121"](input_shape=[None, None, 4]).nodes
    assert entry.config["batch_input_shape"] == [None, None, None, 4]
