import math
import sys

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.optimizers.schedule_free import schedule_free_adamw


def gradient(y):
    return torch.cos(2 * y)


def averaged(rate, beta1, beta2, decay, eps, warmup, num_steps):
    """The three sequences of arXiv 2405.15682, algorithm 1, written down one after the other."""
    z = x = torch.linspace(-1, 1, 5, dtype=torch.float64)
    v, largest, total = torch.zeros_like(z), 0.0, 0.0
    for t in range(1, num_steps + 1):
        y = (1 - beta1) * z + beta1 * x
        g = gradient(y)
        v = beta2 * v + (1 - beta2) * g * g
        gamma = rate * min(1.0, t / warmup if warmup else 1.0)
        step = g / ((v / (1 - beta2**t)).sqrt() + eps) + decay * y
        z = z - gamma * step
        largest = max(largest, gamma)
        total += largest**2
        c = largest**2 / total
        x = (1 - c) * x + c * z
    return x, (1 - beta1) * z + beta1 * x


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.0), (4, 0.1)])
def test_it_evaluates_the_average_and_trains_elsewhere(warmup, decay):
    y = torch.linspace(-1, 1, 5, dtype=torch.float64).requires_grad_()
    keys = {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.9, "weight_decay": decay, "eps": 1e-6}
    optimizer = schedule_free_adamw([y], warmup_steps=warmup, **keys)
    optimizer.train()
    for step in range(10):
        y.grad = gradient(y.detach())
        optimizer.step()
        x, inner = averaged(0.05, 0.8, 0.9, decay, 1e-6, warmup, step + 1)
        torch.testing.assert_close(y.detach(), inner)
        optimizer.eval()
        torch.testing.assert_close(y.detach(), x)
        optimizer.eval()  # twice is once
        torch.testing.assert_close(y.detach(), x)
        optimizer.train()


def test_its_average_is_nearer_to_the_minimum_of_a_noisy_loss_than_where_it_trains():
    torch.manual_seed(0)
    y = torch.full((100,), 3.0, requires_grad=True)
    optimizer = schedule_free_adamw([y], learning_rate=0.1)
    optimizer.train()
    for _ in range(400):
        y.grad = y.detach() + torch.randn(100)
        optimizer.step()
    noisy = y.detach().norm().item()
    optimizer.eval()
    assert y.detach().norm().item() < min(noisy, math.sqrt(100) * 0.3)


def test_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    with pytest.raises(ConfigError, match=r"optimizer.type: .* pip install 'rmldnn\[optimizers\]'"):
        schedule_free_adamw([torch.zeros(1, requires_grad=True)])


def test_beta1_must_not_be_zero():
    with pytest.raises(ConfigError, match=r"optimizer.beta1: must be greater than 0"):
        schedule_free_adamw([torch.zeros(1, requires_grad=True)], beta1=0.0)
