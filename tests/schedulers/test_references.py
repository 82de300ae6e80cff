"""Schedules that torch has too: the same rates, from the same keys."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from rmldnn.errors import ConfigError
from rmldnn.schedulers.annealing import cosine, polynomial
from rmldnn.schedulers.one_cycle import one_cycle
from rmldnn.schedulers.plateau import Plateau

RATE = 0.4


def sgd(rate=RATE, momentum=0.9):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=momentum)


def ours(make, epochs, **keys):
    """Learning rate of each epoch, and the one after the last."""
    optimizer = sgd()
    schedule = make(optimizer, epochs, **keys)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(epochs):
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def theirs(make, steps):
    optimizer = sgd()
    schedule = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_cosine_is_that_of_torch():
    expected = theirs(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 9, eta_min=0.1 * RATE), 9)
    assert ours(cosine, 9, min_factor=0.1) == pytest.approx(expected, rel=1e-12)


def test_cosine_restarts_as_torch_does():
    expected = theirs(lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4), 11)
    assert ours(cosine, 12, num_cycles=3) == pytest.approx([*expected, 0.0], abs=1e-12)


def test_cosine_rises_first():
    rates = ours(cosine, 6, warmup_epochs=2, start_factor=0.5)
    falling = ours(cosine, 4)
    assert rates == pytest.approx([0.5 * RATE, 0.75 * RATE, *falling])


def test_cosine_that_lasts_shorter_than_the_run_stays_at_its_end():
    assert ours(cosine, 6, num_epochs=3, min_factor=0.2)[3:] == pytest.approx([0.2 * RATE] * 4)


@pytest.mark.parametrize("warmup_epochs", [3, 5])
def test_a_run_shorter_than_the_warm_up_only_rises(warmup_epochs):
    rates = ours(cosine, 3, warmup_epochs=warmup_epochs, start_factor=0.1)[:3]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.1 * RATE)


@pytest.mark.parametrize("power", [0.9, 1.0, 3.0])
def test_polynomial_is_that_of_torch(power):
    expected = theirs(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 7, power), 7)
    assert ours(polynomial, 7, power=power) == pytest.approx(expected, abs=1e-12)


def test_polynomial_ends_at_the_smallest_factor():
    assert ours(polynomial, 4, min_factor=0.2) == pytest.approx([RATE * x for x in (1, 0.8, 0.6, 0.4, 0.2)])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize(("strategy", "three_phase"), list(itertools.product(["cos", "linear"], [False, True])))
def test_one_cycle_is_that_of_torch(strategy, three_phase, kind):
    """Ours after s of n steps is torch's at s of n + 1 steps, whose phases end one step earlier than it says."""
    steps, start = 40, 0.3

    def optimizer():
        return kind([torch.zeros(1, requires_grad=True)], lr=RATE)

    def state(chosen):
        (group,) = chosen.param_groups
        return group["lr"], group["betas"][0] if "betas" in group else group["momentum"]

    torchs = optimizer()
    reference = lr_scheduler.OneCycleLR(
        torchs,
        RATE,
        total_steps=steps + 1,
        pct_start=(start * steps + 1) / (steps + 1),
        anneal_strategy=strategy,
        three_phase=three_phase,
        div_factor=10,
        final_div_factor=100,
    )
    own = optimizer()
    keys = {"anneal_strategy": strategy, "three_phase": three_phase, "div_factor": 10.0, "final_div_factor": 100.0}
    schedule = one_cycle(own, 4, pct_start=start, cycle_momentum=True, per="step", **keys)
    assert state(own) == pytest.approx(state(torchs))
    for number in range(1, steps + 1):
        torchs.step()
        reference.step()
        schedule.step(number * 4 / steps)
        if three_phase and 2 * start < number / steps:
            # torch's second phase ends at 2 * pct_start * total_steps - 2, one step before twice the first
            continue
        assert state(own) == pytest.approx(state(torchs), rel=1e-9), number
    assert state(own) == pytest.approx((RATE / 1000, 0.95))


def test_one_cycle_leaves_the_momentum_alone_unless_asked():
    optimizer = sgd(momentum=0.7)
    one_cycle(optimizer, 4).step(1)
    assert optimizer.param_groups[0]["momentum"] == 0.7


def test_one_cycle_needs_a_momentum_to_cycle():
    optimizer = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)])
    with pytest.raises(ConfigError, match=r"cycle_momentum: the optimizer Adagrad has no momentum"):
        one_cycle(optimizer, 4, cycle_momentum=True)


def test_three_phases_need_time():
    with pytest.raises(ConfigError, match=r"pct_start: must be at most 0.5 for three phases, got 0.6"):
        one_cycle(sgd(), 4, three_phase=True, pct_start=0.6)


@settings(max_examples=200, deadline=None)
@given(
    losses=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=40),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    threshold=st.sampled_from([0.0, 0.01, 0.2]),
    smallest=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_plateau_is_that_of_torch(losses, patience, cooldown, threshold, smallest):
    torchs, own = sgd(), sgd()
    reference = lr_scheduler.ReduceLROnPlateau(
        torchs,
        factor=0.5,
        patience=patience,
        cooldown=cooldown,
        threshold=threshold,
        min_lr=smallest * RATE,
        eps=0,
    )
    keys = {"patience": patience, "cooldown": cooldown, "threshold": threshold, "min_factor": smallest}
    schedule = Plateau(own, len(losses), factor=0.5, **keys)
    for done, loss in enumerate(losses, start=1):
        reference.step(loss)
        schedule.step(done, torch.tensor(loss, dtype=torch.float64))
        assert own.param_groups[0]["lr"] == pytest.approx(torchs.param_groups[0]["lr"])


def test_plateau_knows_that_less_than_a_negative_loss_is_better():
    optimizer = sgd()
    schedule = Plateau(optimizer, patience=0, threshold=0.1)
    for loss in (-1.0, -1.2, -1.4):
        schedule.step(loss=loss)
    assert optimizer.param_groups[0]["lr"] == RATE


def test_plateau_counts_no_epoch_without_a_loss():
    optimizer = sgd()
    schedule = Plateau(optimizer, patience=0)
    schedule.step(1, 1.0)
    for part in (1.25, 1.5, 1.75, 2.0):
        schedule.step(part)
    assert optimizer.param_groups[0]["lr"] == RATE
    schedule.step(2, 1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * RATE)


def test_plateau_factor_makes_smaller():
    with pytest.raises(ConfigError, match=r"optimizer.lr_scheduler.factor: must be less than 1, got 2"):
        Plateau(sgd(), factor=2.0)
