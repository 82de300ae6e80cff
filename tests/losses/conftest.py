import math
from itertools import pairwise

import pytest
import torch


def shares_of(loss, output, target, cuts):
    """Loss and gradient of a batch cut into shares, each computed as a process of a parallel run would."""
    bounds = [0, *sorted(cuts), len(output)]
    leaves = [output[low:high].detach().requires_grad_() for low, high in pairwise(bounds)]
    targets = [target[low:high] for low, high in pairwise(bounds)]
    sums = [[] for _ in leaves]
    for leaf, part, mine in zip(leaves, targets, sums, strict=True):
        loss(leaf, part, lambda own, mine=mine: mine.append(own.detach()) or own)
    everyone = [sum(parts) for parts in zip(*sums, strict=True)]  # of each call of `total`
    losses = []
    for leaf, part, mine in zip(leaves, targets, sums, strict=True):
        others = iter([total - own for total, own in zip(everyone, mine, strict=True)])
        value = loss(leaf, part, lambda own, others=others: own + next(others))
        value.backward()
        losses.append(value.item())
    return losses, torch.cat([leaf.grad for leaf in leaves])


@pytest.fixture
def assert_split_is_harmless():
    """Checks that a loss and its gradient do not depend on how the batch is shared out."""

    def check(loss, output, target, cuts):
        whole = output.detach().requires_grad_()
        expected = loss(whole, target)
        expected.backward()
        losses, gradient = shares_of(loss, output, target, cuts)
        assert all(math.isclose(value, expected.item(), rel_tol=1e-9, abs_tol=1e-12) for value in losses)
        torch.testing.assert_close(gradient, whole.grad)

    return check
