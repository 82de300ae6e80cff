"""Random numbers of layers: their distribution, and that they belong to samples."""

import math

import pytest
import torch
import torch._dynamo.testing
from torch import nn

from rmldnn.networks import draws
from rmldnn.networks.draws import Draws, drawing, present

CPU = torch.device("cpu")


def of(first, count, *, seed=0, update=0):
    return drawing(Draws(seed, 1, "", update, first, count, CPU))


def deviations(count, size, rate):
    """Masks of several draws, each element with mean 0 and variance 1 if the rate is right."""
    with of(0, count):
        masks = [draws.chosen(torch.empty(count, *size), rate) for _ in range(2)]
    return [(mask.flatten(1).double() - rate) / math.sqrt(rate * (1 - rate)) for mask in masks]


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5])
def test_a_share_of_the_elements_is_chosen(rate):
    mask, _ = deviations(16, (2**16,), rate)
    assert abs(mask.mean().item()) * math.sqrt(mask.numel()) < 4
    assert mask.mean(1).abs().max().item() * 2**8 < 5


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_samples_draws_and_neighbours_are_independent(rate):
    one, other = deviations(16, (2**16,), rate)
    among = (one @ one.T)[torch.triu_indices(16, 16, 1).unbind()]
    lags = torch.stack([(one[:, lag:] * one[:, :-lag]).sum(1) for lag in (1, 2, 3, 7, 8, 64, 256, 4096)])
    for products in (among, one @ other.T, lags):
        scores = products / 2**8  # of mean 0 and variance 1 but for sums of fewer elements
        assert scores.abs().max() < 5
        assert scores.square().mean().item() == pytest.approx(1, abs=0.5)


def test_seeds_are_independent():
    masks = []
    for seed in range(1000):
        with of(0, 4, seed=seed):
            masks.append(draws.chosen(torch.empty(4, 8), 0.5).flatten().double() * 2 - 1)
    scores = torch.stack(masks).T @ torch.stack(masks) / math.sqrt(1000)
    assert scores[torch.triu_indices(32, 32, 1).unbind()].abs().max() < 5


def test_uniform_numbers_fill_their_range():
    with of(0, 4):
        numbers = draws.uniform(torch.empty(4, 2**16), -2, 6)
    counts = torch.histc(numbers, 64, -2, 6)
    expected = numbers.numel() / 64
    assert ((counts - expected).square() / expected).sum() < 63 + 5 * math.sqrt(2 * 63)
    assert counts.sum() == numbers.numel()


def test_normal_numbers_are_normal():
    with of(0, 4):
        numbers = draws.normal(torch.empty(4, 2**16)).double()
    shares = (1 + torch.erf(numbers / math.sqrt(2))) / 2
    counts, expected = torch.histc(shares, 64, 0, 1), numbers.numel() / 64
    assert ((counts - expected).square() / expected).sum() < 63 + 5 * math.sqrt(2 * 63)
    assert numbers.isfinite().all()


@pytest.mark.parametrize("size", [(5,), (3, 50000), (2, 300, 400)])
def test_a_share_of_a_batch_draws_what_the_batch_does(size):
    with of(7, 6):
        whole = [draws.uniform(torch.empty(6, *size), 0, 1) for _ in range(2)]
    parts = []
    for first, count in ((7, 1), (8, 5)):
        with of(first, count):
            parts.append([draws.uniform(torch.empty(count, *size), 0, 1) for _ in range(2)])
    for one, *others in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat(others), one)


def test_rows_of_a_sequence_belong_to_their_sample():
    with of(0, 3):
        whole = draws.uniform(torch.empty(3 * 4, 5), 0, 1)
    with of(2, 1):
        assert torch.equal(draws.uniform(torch.empty(4, 5), 0, 1), whole[8:])


def test_what_a_batch_shares_is_that_of_the_update():
    x = torch.empty(2, 50)
    with of(0, 2):
        first = draws.chosen(x, 0.5, (0,))
    with of(2, 2):
        assert torch.equal(draws.chosen(x, 0.5, (0,)), first)
    with of(0, 2, update=2):
        assert not torch.equal(draws.chosen(x, 0.5, (0,)), first)


def test_a_process_without_samples_draws_for_one():
    with of(0, 0):
        assert draws.dropout(torch.ones(1, 8), 0.5).shape == (1, 8)


def test_what_was_drawn_can_be_drawn_again():
    x = torch.ones(2, 50)
    with of(0, 2):
        draws.normal(x)
        then = present()
        once = draws.normal(x)
        with drawing(then):
            again = draws.normal(x)
        assert not (draws.normal(x) == once).any()
    assert torch.equal(again, once)


def test_without_a_batch_numbers_are_those_of_torch():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(draws.uniform(torch.empty(2, 50), 0, 1))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.slow
def test_compiled_once_the_numbers_are_the_same():
    class Twice(nn.Module):
        def forward(self, x):
            return draws.dropout(draws.dropout(x, 0.3) + draws.normal(x), 0.3, (1,))

    counter = torch._dynamo.testing.CompileCounterWithBackend("eager")
    compiled = torch.compile(Twice(), backend=counter, fullgraph=True)
    for update in range(4):
        x = torch.rand(4, 6)
        with of(4 * update, 4, update=update):
            expected = Twice()(x)
        with of(4 * update, 4, update=update):
            assert torch.equal(compiled(x), expected)
    assert counter.frame_count == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`")
def test_bits_of_a_gpu_are_those_of_the_cpu():
    masks = []
    for device in (CPU, torch.device("cuda", 0)):
        with drawing(Draws(0, 1, "", 0, 0, 3, device)):
            masks.append(draws.chosen(torch.empty(3, 400, 500, device=device), 0.3).cpu())
    assert torch.equal(*masks)
