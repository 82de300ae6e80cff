from functools import partial

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.schedulers.annealing import cosine
from rmldnn.schedulers.chain import Chain
from rmldnn.schedulers.decay import exponential, step
from rmldnn.schedulers.one_cycle import one_cycle
from rmldnn.schedulers.plateau import Plateau
from rmldnn.schedulers.warmup import warmup

RATE = 0.4


def sgd(momentum=0.9):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE, momentum=momentum)


def factors(chain, optimizer, times):
    for time in times:
        chain.step(time)
        yield optimizer.param_groups[0]["lr"] / RATE


def test_each_schedule_has_its_turn_and_its_own_clock():
    optimizer = sgd()
    makers = [
        partial(warmup, num_epochs=2, start_factor=0.5),
        partial(exponential, gamma=0.1, num_epochs=1),
        partial(step, gamma=0.5, step_size=2),
    ]
    chain = Chain(optimizer, 8, makers)
    assert optimizer.param_groups[0]["lr"] == 0.5 * RATE
    expected = [0.75, 1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert list(factors(chain, optimizer, range(1, 9))) == pytest.approx(expected)


def test_the_last_schedule_has_the_rest_of_the_run():
    optimizer = sgd()
    chain = Chain(optimizer, 6, [partial(warmup, num_epochs=2, start_factor=0.5), cosine])
    assert list(factors(chain, optimizer, [2, 4, 6])) == pytest.approx([1, 0.5, 0], abs=1e-12)


def test_only_those_that_want_it_change_within_an_epoch():
    optimizer = sgd()
    makers = [partial(warmup, num_epochs=1, start_factor=0.5, per="step"), partial(exponential, gamma=0.5)]
    chain = Chain(optimizer, 3, makers)
    assert chain.per_step
    found = list(factors(chain, optimizer, [0.5, 1, 1.5, 2, 2.5, 3]))
    assert found == pytest.approx([0.75, 1, 1, 0.5, 0.5, 0.25])


def test_momentum_is_cycled_in_its_turn_only():
    optimizer = sgd(momentum=0.7)
    makers = [
        partial(warmup, num_epochs=1, start_factor=0.5),
        partial(one_cycle, num_epochs=2, cycle_momentum=True, pct_start=0.5),
        partial(exponential, gamma=0.5),
    ]
    chain = Chain(optimizer, 4, makers)
    found = [optimizer.param_groups[0]["momentum"]]
    for done in range(1, 5):
        chain.step(done)
        found.append(optimizer.param_groups[0]["momentum"])
    assert found == pytest.approx([0.7, 0.95, 0.85, 0.7, 0.7])


def test_a_plateau_hears_of_its_own_epochs_only():
    optimizer = sgd()
    makers = [
        partial(exponential, gamma=0.5, num_epochs=2),
        partial(Plateau, patience=0, factor=0.1, num_epochs=2),
        partial(exponential, gamma=0.5),
    ]
    chain = Chain(optimizer, 6, makers)
    rates = []
    for done, loss in enumerate([1.0, 1.0, 5.0, 5.0, 5.0, 5.0], start=1):
        chain.step(done, loss)
        rates.append(optimizer.param_groups[0]["lr"] / RATE)
    assert rates == pytest.approx([0.5, 0.25, 0.25, 0.025, 0.0125, 0.00625])


def test_a_schedule_that_does_not_say_how_long_it_lasts_is_the_last():
    with pytest.raises(ConfigError, match=r"^optimizer.lr_scheduler\[0\].num_epochs: is missing"):
        Chain(sgd(), 8, [cosine, partial(exponential, gamma=0.5)])


def test_problems_of_a_schedule_name_its_place():
    makers = [partial(cosine, num_epochs=3), partial(cosine, start_factor=2.0)]
    with pytest.raises(ConfigError, match=r"^optimizer.lr_scheduler\[1\].start_factor: must be less"):
        Chain(sgd(), 8, makers)


def test_a_run_may_be_shorter_than_its_list():
    optimizer = sgd()
    chain = Chain(optimizer, 1, [partial(warmup, num_epochs=5, start_factor=0.5), cosine])
    assert list(factors(chain, optimizer, [1])) == pytest.approx([0.6])


def test_a_chain_goes_on_where_it_was():
    makers = [partial(warmup, num_epochs=1, start_factor=0.5), partial(Plateau, patience=1, factor=0.1)]
    losses = [3.0, 2.0, 2.5, 2.5, 2.5, 2.5]

    def run(chain, optimizer, first, last):
        for done in range(first, last + 1):
            chain.step(done, losses[done - 1])
            yield optimizer.param_groups[0]["lr"]

    optimizer = sgd()
    whole = list(run(Chain(optimizer, 6, makers), optimizer, 1, 6))
    assert len(set(whole)) > 2

    killed = sgd()
    chain = Chain(killed, 6, makers)
    before = list(run(chain, killed, 1, 3))
    resumed = sgd()
    fresh = Chain(resumed, 6, makers)
    resumed.load_state_dict(killed.state_dict())
    fresh.load_state_dict(chain.state_dict())
    assert resumed.param_groups[0]["lr"] == before[-1]
    assert before + list(run(fresh, resumed, 4, 6)) == whole
