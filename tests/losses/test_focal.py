import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.bce import bce
from rmldnn.losses.focal import focal
from rmldnn.losses.nll import nll

CLASSES = {"softmax": lambda p: p, "log_softmax": torch.log, "linear": torch.log, None: lambda p: p}
ANSWERS = {"sigmoid": lambda p: p, "log_softmax": torch.log, "linear": torch.logit, None: lambda p: p}


def sample(n=4, spatial=(3, 2), channels=3):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(n, channels, *spatial, generator=generator, dtype=torch.float64)
    return output.softmax(1), torch.randint(0, channels, (n, *spatial), generator=generator)


def formula(p, gamma):
    return -((1 - p) ** gamma) * np.log(p)


@pytest.mark.parametrize("source", CLASSES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("spatial", [(), (5,), (3, 2), (2, 3, 2)])
def test_value_of_classes(spatial, gamma, source):
    output, target = sample(spatial=spatial)
    right = output.gather(1, target.unsqueeze(1)).numpy()
    value = focal(CLASSES[source](output), target, gamma=gamma, source=source).item()
    assert value == pytest.approx(formula(right, gamma).mean(), rel=1e-9)


@pytest.mark.parametrize("source", ANSWERS)
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_value_of_one_output(alpha, source):
    output, target = sample()
    p, t = output[:, 1].numpy(), (target == 1).numpy()
    yes, no = (1, 1) if alpha is None else (alpha, 1 - alpha)
    expected = np.where(t, yes * formula(p, 2), no * formula(1 - p, 2)).mean()
    value = focal(ANSWERS[source](output[:, 1:2]), (target == 1).long(), alpha=alpha, source=source).item()
    assert value == pytest.approx(expected, rel=1e-9)


def test_outputs_of_a_sigmoid_answer_one_by_one():
    output, target = sample()
    p, t = output.numpy(), np.moveaxis(np.eye(3)[target], -1, 1)
    expected = np.where(t == 1, formula(p, 2), formula(1 - p, 2))
    weight = np.array([1, 0, 2]).reshape(3, 1, 1)
    assert focal(output, target, source="sigmoid").item() == pytest.approx(expected.mean(), rel=1e-9)
    assert focal(output, target, source="sigmoid", weight=[1.0, 0.0, 2.0]).item() == pytest.approx(
        np.average(expected, weights=np.broadcast_to(weight, expected.shape)), rel=1e-9
    )


def test_weights_and_ignored_places():
    output, target = sample()
    target[:, 0] = 255
    weight = np.array([0.5, 2.0, 1.0])
    kept = target.numpy()[:, 1:]
    right = np.take_along_axis(output.numpy()[:, :, 1:], kept[:, None], 1)[:, 0]
    expected = np.average(formula(right, 2), weights=weight[kept])
    assert focal(output, target, weight=weight.tolist(), ignore_index=255).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("keys", [{}, {"weight": [0.5, 2.0, 1.0]}, {"ignore_index": 1}])
def test_without_focus_it_is_the_likelihood(keys):
    output, target = sample()
    expected = nll(output.log(), target, **keys)
    assert focal(output, target, gamma=0.0, **keys).item() == pytest.approx(expected.item(), rel=1e-9)


def test_without_focus_one_output_is_binary_cross_entropy():
    output, target = sample()
    output, target = output[:, :1], output[:, 1]
    assert focal(output, target, gamma=0.0).item() == pytest.approx(bce(output, target).item(), rel=1e-9)


def test_what_is_nearly_right_keeps_its_digits():
    score = torch.tensor([[20.0]])
    p = torch.tensor(20.0, dtype=torch.float64).sigmoid()
    expected = -((1 - p) ** 2) * p.log()
    assert focal(score, torch.tensor([1]), source="linear").item() == pytest.approx(expected.item(), rel=1e-4)
    two = torch.tensor([[0.0, 20.0]])
    assert focal(two, torch.tensor([1]), source="linear").item() == pytest.approx(expected.item(), rel=1e-4)


def test_index_beyond_the_outputs_is_named():
    output, target = sample()
    target[0, 0, 0] = -1
    with pytest.raises(ConfigError, match="class index -1, but the network has 3 outputs"):
        focal(output, target)


@pytest.mark.parametrize("source", ["softmax", "sigmoid"])
def test_probabilities_have_no_class_to_ignore(source):
    output, _ = sample()
    with pytest.raises(ConfigError, match=r"loss.ignore_index: has no meaning"):
        focal(output, output, ignore_index=1, source=source)
