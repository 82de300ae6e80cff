import copy

import pytest
import torch

from rmldnn.component import form
from rmldnn.errors import ConfigError
from rmldnn.optimizers.adagrad import adagrad
from rmldnn.optimizers.adam import adam, adamw
from rmldnn.optimizers.hessian import hessian
from rmldnn.optimizers.lamb import lamb
from rmldnn.optimizers.lars import lars
from rmldnn.optimizers.lion import lion
from rmldnn.optimizers.muon import muon
from rmldnn.optimizers.nadam import nadam
from rmldnn.optimizers.radam import radam
from rmldnn.optimizers.rmsprop import rmsprop
from rmldnn.optimizers.schedule_free import schedule_free_adamw
from rmldnn.optimizers.sgd import sgd

SGD = {"learning_rate": 0.01, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8, "amsgrad": False}
ORIGINAL = {
    sgd: SGD,
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
    lars: SGD | {"eta": 1e-3},
    lamb: ADAM,
    hessian: {
        "max_iterations": 2000,
        "max_func_eval": 4000,
        "absolute_tolerance": 1e-8,
        "relative_tolerance": 1e-8,
        "method": "lbfgs",
        "history": 20,
        "learning_rate": 1.0,
    },
}
STEPPING = [adagrad, adam, adamw, lamb, lars, lion, muon, nadam, radam, rmsprop, schedule_free_adamw, sgd]
REFERENCE = [
    (sgd, {"momentum": 0.5, "dampening": 0.1, "weight_decay": 0.2}, torch.optim.SGD),
    (sgd, {"momentum": 0.5, "nesterov": True}, torch.optim.SGD),
    (adagrad, {"lr_decay": 0.1, "weight_decay": 0.2}, torch.optim.Adagrad),
    (adam, {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.2, "eps": 1e-4, "amsgrad": True}, torch.optim.Adam),
    (adamw, {"beta1": 0.8, "beta2": 0.9, "weight_decay": 0.2, "eps": 1e-4}, torch.optim.AdamW),
    (rmsprop, {"alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-4}, torch.optim.RMSprop),
    (
        nadam,
        {"beta1": 0.8, "weight_decay": 0.2, "momentum_decay": 0.1, "decoupled_weight_decay": True},
        torch.optim.NAdam,
    ),
    (radam, {"beta2": 0.9, "weight_decay": 0.2, "eps": 1e-4}, torch.optim.RAdam),
    (lars, {"eta": 0, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.2}, torch.optim.SGD),
    (lars, {"eta": 0, "momentum": 0.5, "nesterov": True}, torch.optim.SGD),
]


def start(dtype=torch.float64):
    return [torch.linspace(-1, 1, 6, dtype=dtype).reshape(shape).requires_grad_() for shape in ((6,), (2, 3))]


def learn(optimizer, parameters, steps):
    getattr(optimizer, "train", lambda: None)()
    for step in steps:
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.sin(parameter.detach() * (step + index + 1))
        optimizer.step()


def run(make, keys, num_steps=8):
    parameters = start()
    learn(make(parameters, **keys), parameters, range(num_steps))
    return parameters


@pytest.mark.parametrize("optimizer", ORIGINAL)
def test_keys_and_defaults_are_those_of_the_original(optimizer):
    assert {key: parameter.default for key, parameter in form(optimizer).parameters.items()} == ORIGINAL[optimizer]


@pytest.mark.parametrize(("optimizer", "keys", "reference"), REFERENCE)
def test_updates_are_those_of_the_textbook_loop(optimizer, keys, reference):
    plain = {key: value for key, value in keys.items() if key not in ("beta1", "beta2", "eta")}
    if {"beta1", "beta2"} & keys.keys():
        plain["betas"] = (keys.get("beta1", 0.9), keys.get("beta2", 0.999))
    expected = run(lambda parameters, **rest: reference(parameters, lr=0.1, foreach=False, **rest), plain)
    torch.testing.assert_close(run(optimizer, {"learning_rate": 0.1, **keys}), expected)


@pytest.mark.parametrize("optimizer", STEPPING)
def test_parameters_may_come_from_a_generator(optimizer):
    made = optimizer(torch.nn.Linear(2, 2).parameters())
    assert sum(len(group["params"]) for group in made.param_groups) == 2


@pytest.mark.parametrize("optimizer", STEPPING)
def test_a_group_learns_with_its_own_keys_and_another_without_them_does_not_notice(optimizer):
    together = start()
    groups = [{"params": together[:1]}, {"params": together[1:], "lr": 0.05, "weight_decay": 0.3}]
    learn(optimizer(groups, learning_rate=0.02), together, range(5))
    first = start()
    learn(optimizer(first[:1], learning_rate=0.02), first, range(5))
    second = start()
    learn(optimizer(second[1:], learning_rate=0.05, weight_decay=0.3), second, range(5))
    torch.testing.assert_close(together, [first[0], second[1]])


@pytest.mark.parametrize("optimizer", STEPPING)
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_happened(optimizer):
    whole = start()
    learn(optimizer(whole), whole, range(8))
    parameters = start()
    before = optimizer(parameters)
    learn(before, parameters, range(4))
    after = optimizer(parameters)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    learn(after, parameters, range(4, 8))
    torch.testing.assert_close(parameters, whole, rtol=1e-10, atol=1e-10)  # torch keeps some scalars in float32


@pytest.mark.parametrize("optimizer", STEPPING)
def test_a_parameter_without_gradient_stays(optimizer):
    parameters = start()
    made = optimizer(parameters)
    learn(made, parameters[:1], range(2))
    torch.testing.assert_close(parameters[1], start()[1])
    assert not torch.equal(parameters[0], start()[0])


@pytest.mark.parametrize("optimizer", [sgd, lars])
def test_nesterov_needs_momentum(optimizer):
    with pytest.raises(ConfigError, match=r"optimizer.nesterov: needs `momentum` greater than 0"):
        optimizer([torch.zeros(1, requires_grad=True)], nesterov=True)
    with pytest.raises(ConfigError, match=r"optimizer.nesterov: needs `momentum` greater than 0"):
        optimizer([{"params": [torch.zeros(1, requires_grad=True)], "momentum": 0.0}], nesterov=True, momentum=0.5)
