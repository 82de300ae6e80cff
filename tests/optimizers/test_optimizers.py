import pytest
import torch

from rmldnn.component import form
from rmldnn.errors import ConfigError
from rmldnn.optimizers.adagrad import adagrad
from rmldnn.optimizers.adam import adam, adamw
from rmldnn.optimizers.rmsprop import rmsprop
from rmldnn.optimizers.sgd import sgd

ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8, "amsgrad": False}
KEYS = {
    sgd: {"learning_rate": 0.01, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    adagrad: {"learning_rate": 0.01, "lr_decay": 0.0, "weight_decay": 0.0},
    adam: ADAM,
    adamw: ADAM,
    rmsprop: {
        "learning_rate": 0.01,
        "alpha": 0.99,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "momentum": 0.0,
        "centered": False,
    },
}
REFERENCE = [
    (sgd, {"momentum": 0.5, "dampening": 0.1, "weight_decay": 0.2}, torch.optim.SGD),
    (sgd, {"momentum": 0.5, "nesterov": True}, torch.optim.SGD),
    (adagrad, {"lr_decay": 0.1, "weight_decay": 0.2}, torch.optim.Adagrad),
    (adam, {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.2, "eps": 1e-4, "amsgrad": True}, torch.optim.Adam),
    (adamw, {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.2, "eps": 1e-4}, torch.optim.AdamW),
    (rmsprop, {"alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-4}, torch.optim.RMSprop),
]


def run(make, keys, dtype=torch.float64):
    parameters = [torch.linspace(-1, 1, 6, dtype=dtype).reshape(shape).requires_grad_() for shape in ((6,), (2, 3))]
    optimizer = make(parameters, **keys)
    for step in range(4):
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.sin(parameter.detach() * (step + index + 1))
        optimizer.step()
    return parameters


@pytest.mark.parametrize("optimizer", KEYS)
def test_keys_and_defaults_are_those_of_the_original(optimizer):
    assert {key: parameter.default for key, parameter in form(optimizer).parameters.items()} == KEYS[optimizer]


@pytest.mark.parametrize(("optimizer", "keys", "reference"), REFERENCE)
def test_updates_are_those_of_the_textbook_loop(optimizer, keys, reference):
    plain = dict(keys)
    if "beta1" in plain:
        plain["betas"] = (plain.pop("beta1"), plain.pop("beta2"))
    expected = run(lambda parameters, **rest: reference(parameters, lr=0.1, foreach=False, **rest), plain)
    torch.testing.assert_close(run(optimizer, {"learning_rate": 0.1, **keys}), expected)


@pytest.mark.parametrize("optimizer", KEYS)
def test_parameters_may_come_from_a_generator(optimizer):
    assert len(optimizer(torch.nn.Linear(2, 2).parameters()).param_groups[0]["params"]) == 2


def test_nesterov_needs_momentum():
    with pytest.raises(ConfigError, match=r"optimizer.nesterov: needs `momentum` greater than 0"):
        sgd([torch.zeros(1, requires_grad=True)], nesterov=True)
