"""Losses of two networks, against their formulas in float64, and the gradient penalty against a known slope."""

import numpy as np
import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.losses.adversarial import Hinge, LeastSquares, Original, Wasserstein, gradient_penalty


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "Wasserstein": (
        Wasserstein(),
        lambda real, made: made.mean() - real.mean(),
        lambda made: -made.mean(),
    ),
    "GAN": (
        Original(source="linear"),
        lambda real, made: -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(made)).mean(),
        lambda made: -np.log(sigmoid(made)).mean(),
    ),
    "LeastSquares": (
        LeastSquares(),
        lambda real, made: ((real - 1) ** 2).mean() / 2 + (made**2).mean() / 2,
        lambda made: ((made - 1) ** 2).mean() / 2,
    ),
    "Hinge": (
        Hinge(),
        lambda real, made: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + made).mean(),
        lambda made: -made.mean(),
    ),
}
every = pytest.mark.parametrize("name", FORMULAS)


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(count, 1, generator=generator, dtype=torch.float64) * 2 for count in (7, 5)]


@every
def test_losses_are_their_formulas(name, scores):
    loss, critic, generator = FORMULAS[name]
    real, made = scores
    assert float(loss.critic(real, made)) == pytest.approx(critic(real.numpy(), made.numpy()), rel=1e-12)
    assert float(loss.generator(made)) == pytest.approx(generator(made.numpy()), rel=1e-12)


@every
def test_losses_have_their_gradients(name, scores):
    loss = FORMULAS[name][0]
    real, made = (each.requires_grad_() for each in scores)
    assert torch.autograd.gradcheck(loss.critic, (real, made))
    assert torch.autograd.gradcheck(loss.generator, (made,))


@every
def test_uneven_shares_give_the_loss_of_the_whole_batch(name, scores):
    loss = FORMULAS[name][0]
    real, made = scores
    shares = [(real[:4], made[:1]), (real[4:], made[1:]), (real[:0], made[:0])]
    sums = []
    for share in shares:
        loss.critic(*share, lambda tensor: sums.append(tensor) or tensor)
    whole = loss.critic(real[:0], made[:0], lambda _: torch.stack(sums).sum(0))
    assert float(whole) == pytest.approx(float(loss.critic(real, made)), rel=1e-12)


def test_probabilities_give_what_scores_give(scores):
    real, made = scores
    by_scores = Original(source="linear").critic(real, made)
    assert float(Original(source="sigmoid").critic(real.sigmoid(), made.sigmoid())) == pytest.approx(float(by_scores))


@pytest.mark.parametrize("name", ["GAN", "Wasserstein"])
def test_scores_of_16_bits_are_added_up_in_32(name):
    many = torch.full((3000, 1), 1.25, dtype=torch.bfloat16)
    loss = FORMULAS[name][0]
    assert float(loss.critic(many, many)) == pytest.approx(float(loss.critic(many.double(), many.double())), rel=1e-5)


def test_penalty_of_a_linear_critic_is_known():
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64)  # of length 5
    penalty = gradient_penalty(lambda x: x @ weight[:, None], torch.randn(6, 2, dtype=torch.float64))
    assert float(penalty.detach()) == pytest.approx((5 - 1) ** 2)


def test_penalty_moves_the_critic():
    def penalty(weight):
        return gradient_penalty(lambda x: (x @ weight).tanh(), points)

    points = torch.randn(4, 2, dtype=torch.float64)
    weight = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, (weight,))


def test_penalty_of_no_sample_is_nothing_and_has_a_gradient():
    weight = torch.ones(2, 1, requires_grad=True)
    penalty = gradient_penalty(lambda x: x @ weight, torch.empty(0, 2))
    penalty.backward()
    assert float(penalty.detach()) == 0
    assert torch.equal(weight.grad, torch.zeros(2, 1))


@pytest.mark.parametrize(
    ("keys", "factor", "clip"),
    [({}, 10.0, None), ({"clip": 0.01}, 0.0, 0.01), ({"gradient_penalty": 2.0}, 2.0, None)],
)
def test_the_penalty_is_the_default(keys, factor, clip):
    loss = Wasserstein(**keys)
    assert (loss.gradient_penalty, loss.clip) == (factor, clip)


def test_penalty_and_clipping_exclude_each_other():
    with pytest.raises(ConfigError, match="remove one of them"):
        Wasserstein(clip=0.01, gradient_penalty=10.0)
