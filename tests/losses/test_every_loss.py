"""Laws of every loss, whatever its formula: how it is shared out, its gradient, 16 bits, nothing to learn from."""

from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.config import catalog
from rmldnn.errors import ConfigError
from rmldnn.losses.bce import bce, bce_with_logits
from rmldnn.losses.cross_entropy import cross_entropy
from rmldnn.losses.focal import focal
from rmldnn.losses.lovasz import lovasz
from rmldnn.losses.mse import mse
from rmldnn.losses.nll import nll
from rmldnn.losses.overlap import dice, jaccard, tversky
from rmldnn.losses.robust import huber, l1, smooth_l1
from rmldnn.losses.ssim import ssim
from rmldnn.networks.activations import find
from tests.determinism import deterministic

OF_CLASSES = {
    "softmax": lambda scores: scores.softmax(1),
    "log_softmax": lambda scores: scores.log_softmax(1),
    "linear": lambda scores: scores,
}
OF_ANSWERS = {"sigmoid": torch.sigmoid, "linear": lambda scores: scores, "log_softmax": torch.nn.functional.logsigmoid}
W = [0.5, 2.0, 1.0]

# Losses and their keys besides `source`, by what the channels are.
EXCLUSIVE = [
    (nll, {}),
    (nll, {"weight": W, "ignore_index": 255}),
    (cross_entropy, {}),
    (cross_entropy, {"label_smoothing": 0.1, "weight": W, "ignore_index": 1}),
    (dice, {}),
    (dice, {"weight": W, "ignore_index": 255}),
    (jaccard, {"ignore_index": 1}),
    (tversky, {"weight": W}),
    (focal, {}),
    (focal, {"gamma": 0.5, "weight": W, "ignore_index": 255}),
    (lovasz, {}),
    (lovasz, {"ignore_index": 1}),
]
ANSWERS = [
    (bce, {}),
    (bce_with_logits, {"pos_weight": [3.0]}),
    (dice, {"ignore_index": 255}),
    (jaccard, {}),
    (tversky, {}),
    (focal, {"alpha": 0.25, "ignore_index": 255}),
    (lovasz, {"ignore_index": 255}),
]
NUMBERS = [(mse, {}), (l1, {}), (smooth_l1, {"beta": 0.5}), (huber, {"delta": 0.5}), (ssim, {"window": 3})]
CASES = [
    *(("classes", loss, {**keys, "source": source}) for loss, keys in EXCLUSIVE for source in OF_CLASSES),
    *(("mixed", loss, {"source": source}) for loss in (nll, cross_entropy, dice, focal) for source in OF_CLASSES),
    *(("answers", loss, {**keys, "source": source}) for loss, keys in ANSWERS for source in OF_ANSWERS),
    *(("labels", loss, {"source": "sigmoid"}) for loss in (bce, bce_with_logits, dice, jaccard, tversky, focal)),
    *(("numbers", loss, keys) for loss, keys in NUMBERS),
]
every_loss = pytest.mark.parametrize(
    ("kind", "loss", "keys"),
    CASES,
    ids=["-".join([kind, loss.__name__, *map(str, keys.values())]).replace(" ", "") for kind, loss, keys in CASES],
)


def outputs(kind, scores, keys):
    """What a network with these scores gives."""
    if kind == "numbers":
        return scores.tanh()
    return (OF_CLASSES if kind in ("classes", "mixed") else OF_ANSWERS)[keys["source"]](scores)


def sample(kind, keys, n, spatial, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    channels = 1 if kind == "answers" else 3
    shape = (n, channels, *spatial)
    scores = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "mixed":
        target = torch.rand(shape, generator=generator, dtype=torch.float64).softmax(1)
    elif kind == "numbers":
        target = torch.rand(shape, generator=generator, dtype=torch.float64)
    elif kind == "labels":
        target = torch.randint(0, 2, shape, generator=generator)
    else:
        target = torch.randint(0, max(2, channels), (n, *spatial), generator=generator)
        if keys.get("ignore_index") == 255:
            target[torch.rand(target.shape, generator=generator) < 0.3] = 255
    return outputs(kind, scores, keys).to(dtype), target


def extreme(kind, loss, keys, dtype, device):
    """The loss and the gradient of a weight where outputs of a layer in 16 bits are as large as they can be.

    As `engine.prepared` has it: layers and activation under autocast, outputs of 32 bits.
    """
    _, target = sample(kind, keys, 2, (16,), seed=3)
    channels = 1 if kind == "answers" else 3
    generator = torch.Generator().manual_seed(4)
    inputs = 100 * torch.randn(2, channels, 16, generator=generator).sign().to(device)
    layer = torch.nn.Conv1d(channels, channels, 1, device=device)
    torch.nn.init.constant_(layer.weight, 60.0)
    if kind == "numbers":
        name = "tanh"
    else:
        name = keys["source"] or "linear"
        name = "log_sigmoid" if kind == "answers" and name == "log_softmax" else name
    activation = find(name).step or torch.nn.Identity()
    with torch.autocast(device, dtype):
        scores = layer(inputs)
        output = activation(scores)
    assert scores.dtype is dtype
    value = loss(output.float(), target.to(device), **keys)
    value.backward()
    return value, layer.weight.grad


def test_every_component_is_here():
    components = [form.load() for form in catalog.group("loss").values()]
    functions = {loss for loss in components if not isinstance(loss, type)}  # classes have tests of their own
    assert functions == {loss for _, loss, _ in CASES}


@every_loss
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 5), data=st.data())
def test_split_is_harmless(assert_split_is_harmless, kind, loss, keys, n, data):
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    assert_split_is_harmless(partial(loss, **keys), *sample(kind, keys, n, (3, 4), seed=n), cuts)


@every_loss
@pytest.mark.parametrize("spatial", [(), (5,), (3, 4), (3, 3, 3)], ids=["no axes", "1-D", "2-D", "3-D"])
def test_gradient(kind, loss, keys, spatial):
    if loss is ssim and not spatial:
        pytest.skip("needs places")
    output, target = sample(kind, keys, 4, spatial, seed=1)
    assert torch.autograd.gradcheck(lambda x: loss(x, target, **keys), output.requires_grad_(), fast_mode=True)


@every_loss
def test_second_derivative(kind, loss, keys):
    """Which second-order optimizers take."""
    output, target = sample(kind, keys, 2, (3, 4), seed=1)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, target, **keys), output.requires_grad_(), fast_mode=True)


@every_loss
def test_no_sample_anywhere_costs_nothing(kind, loss, keys):
    output, target = sample(kind, keys, 0, (4, 4))
    value = loss(output.requires_grad_(), target, **keys)
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@every_loss
def test_16_bits_of_many_places(kind, loss, keys, dtype):
    exact, target = sample(kind, keys, 1, (256, 257), seed=2)  # more than the largest number of float16
    output = exact.to(dtype).requires_grad_()
    value = loss(output, target, **keys)
    value.backward()
    assert value.dtype is torch.float32
    assert value.item() == pytest.approx(loss(output.detach().float(), target, **keys).item(), rel=5e-3)
    assert value.item() == pytest.approx(loss(exact, target, **keys).item(), rel=0.05)
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=["fp32", "bf16", "fp16"])
@every_loss
def test_saturated_outputs(kind, loss, keys, dtype):
    _, target = sample(kind, keys, 2, (16,), seed=3)
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn(2, 1 if kind == "answers" else 3, 16, generator=generator).sign() * 2e4
    output = outputs(kind, scores, keys).to(dtype).requires_grad_()
    value = loss(output, target, **keys)
    value.backward()
    assert value.isfinite()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@every_loss
def test_extreme_inputs_of_a_network_in_16_bits(kind, loss, keys, dtype):
    value, gradient = extreme(kind, loss, keys, dtype, "cpu")
    assert value.isfinite()
    assert gradient.isfinite().all()


@every_loss
def test_the_deterministic_form_is_the_same_loss(kind, loss, keys):
    output, target = sample(kind, keys, 4, (9, 8))
    expected = loss(output.requires_grad_(), target, **keys)
    (slope,) = torch.autograd.grad(expected, output)
    with deterministic():
        value = loss(output, target, **keys)
        (gradient,) = torch.autograd.grad(value, output)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, slope)


@pytest.mark.parametrize("loss", [nll, cross_entropy, dice, jaccard, tversky, focal, lovasz])
def test_a_class_without_an_output_is_found_before_the_device_sees_it(loss):
    target = torch.tensor([0, 7])
    with pytest.raises(ConfigError, match="class index 7"):
        loss(torch.ones(2, 3, device="meta"), target)


@pytest.mark.parametrize("loss", [bce, dice, jaccard, tversky, focal, lovasz])
def test_a_target_that_is_no_share_is_found_before_the_device_sees_it(loss):
    with pytest.raises(ConfigError, match="takes targets from 0 to 1"):
        loss(torch.ones(2, 1, device="meta"), torch.tensor([0.0, 7.0]))


@every_loss
def test_autocast_changes_nothing(kind, loss, keys):
    output, target = sample(kind, keys, 2, (4, 4), torch.float32)
    expected = loss(output, target, **keys)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(output, target, **keys) == expected


@every_loss
def test_one_sum_over_all_processes(kind, loss, keys):
    output, target = sample(kind, keys, 2, (4, 4))
    shapes = []
    loss(output, target, lambda sums: shapes.append(sums.shape) or sums, **keys)
    assert len(shapes) == 1
    assert shapes[0].numel() <= 9  # three for each class
