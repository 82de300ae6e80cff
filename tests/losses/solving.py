"""The field that minimises a loss, found without training a network."""

import torch


def minimiser(loss, target, free):
    """The minimum of a loss that is a quadratic in the field, by one Newton step.

    Args:
        loss: Of output and target; a mean over samples.
        target: Of one sample, float64.
        free: Which nodes of the output count, bool (channels, *space); others are 0.
    """
    places = free.nonzero()
    fields = torch.zeros(len(places) + 1, *free.shape, dtype=torch.float64)
    fields[(torch.arange(len(places)), *places.T)] = 1
    fields.requires_grad_()
    value = loss(fields, target.expand(len(fields), *target.shape[1:])) * len(fields)
    (slopes,) = torch.autograd.grad(value, fields)
    slopes = slopes[:, free]
    field = torch.zeros(1, *free.shape, dtype=torch.float64)
    field[0, free] = torch.linalg.solve(slopes[:-1] - slopes[-1], -slopes[-1])
    return field


def root(residual, start, free, steps=12):
    """The field whose residual is 0, by Newton's method.

    Args:
        residual: Of a field; as many numbers as there are free nodes.
        start: A field of one sample, float64, with the values of nodes that are not free.
        free: Which nodes are, bool of its shape.
    """
    field = start.clone()

    def at(values):
        return residual(field.masked_scatter(free, values)).flatten()

    values = field[free]
    for _ in range(steps):
        slope = torch.autograd.functional.jacobian(at, values, vectorize=True)
        values = values - torch.linalg.solve(slope, at(values))
    return field.masked_scatter(free, values)


def grid(*extent):
    """Coordinates of the nodes, each of the whole extent, float64."""
    lines = [torch.linspace(0, 1, n, dtype=torch.float64) for n in extent]
    return torch.meshgrid(*lines, indexing="ij")


def orders(errors):
    """By which power of the spacing errors get smaller when it is halved."""
    errors = torch.tensor(errors)
    return (errors[:-1] / errors[1:]).log2().tolist()
