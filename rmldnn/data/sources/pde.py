"""Initial conditions of Burgers' equation, generated instead of read."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component, show
from rmldnn.data.files import fingerprint
from rmldnn.data.source import Indices, Meaning, Side, Source
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, Index

_log = logging.getLogger("rmldnn")


class Waves(Source):
    """Sums of waves on a line; see `Source`.

    Args:
        domain_size: Points of the line.
        frequencies: Shape (samples, waves): how many periods of each wave the line holds.
    """

    kind = "pde"
    noun = "samples"
    meaning: Meaning = "values"

    def __init__(self, domain_size: int, frequencies: NDArray[np.float64]) -> None:
        self.frequencies = frequencies
        self.names = [f"{index:05}" for index in range(len(frequencies))]
        self._place = 2 * np.pi * np.arange(domain_size) / domain_size

    def take(self, indices: Indices) -> NDArray[Any]:
        """Values between 0 and 1, shape (n, domain_size, 1), float32."""
        samples = np.zeros((len(indices), len(self._place)))
        for frequency in self.frequencies[indices].T:
            samples += 0.5 - 0.5 * np.cos(frequency[:, None] * self._place)
        mean: NDArray[Any] = samples / self.frequencies.shape[1]
        return mean.astype(np.float32)[..., None]

    def locate(self, index: int) -> str:
        """Number and frequencies of a sample."""
        return f"generated sample {index} of frequency {', '.join(f'{value:.4g}' for value in self.frequencies[index])}"

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Nothing is read."""
        return 0

    def fingerprint(self) -> str:
        """Of points and frequencies."""
        return fingerprint(self.kind, len(self._place), self.frequencies.tolist())


@component("pde")
def pde(
    side: Side,
    *,
    domain_size: Count,
    num_examples: Count | None = None,
    num_test_examples: Count | None = None,
    bc_frequency: list[float] | None = None,
    bc_type: Literal["random_uniform", "fixed_uniform"] = "random_uniform",
    num_waves: Count = 1,
    generation_seed: Index = 0,
) -> Waves | None:
    r"""Generates initial conditions of Burgers' equation.

    A sample is the mean of waves $\frac12 (1 - \cos(2 \pi c x / d))$ at the points $x = 0, \ldots, d - 1$ of a line of
    $d$ points, one channel. As targets, `pde` gives the inputs once more.

    Args:
        side: What to generate.
        domain_size: Points of the line, $d$.
        num_examples: Samples of the training set; no training without it.
        num_test_examples: Samples of the test set; no evaluation without it.
        bc_frequency: The least and the greatest frequency $c$; `[3, 6]` if absent.
        bc_type: Frequencies are drawn anew for every wave of every sample (`random_uniform`), or sample $i$ of $n$ has
            $c_i = c_{min} + i (c_{max} - c_{min}) / (n - 1)$ (`fixed_uniform`), and further waves those of the samples
            that follow.
        num_waves: Waves of each sample.
        generation_seed: Of the frequencies; training and test set differ all the same.

    Returns:
        The source; None if no examples of the set are wanted.

    Raises:
        ConfigError: Frequencies are no range, or targets belong to inputs of another type.
    """
    low, high = _range(bc_frequency)
    if side.role == "target":
        if not isinstance(side.inputs, Waves):
            raise ConfigError(Problem("data.target_type", "`pde` repeats inputs of type `pde`; inputs are of another"))
        return side.inputs
    count = num_examples if side.which == "train" else num_test_examples
    if count is None:
        return None
    _log.info(f"Generating {count} {side.words} samples...")
    if bc_type == "fixed_uniform":
        steps = (np.arange(count)[:, None] + np.arange(num_waves)) % count
        frequencies = low + steps * (high - low) / max(1, count - 1)
    else:
        key = np.array([generation_seed, side.which == "test"], np.uint64)
        frequencies = np.random.Generator(np.random.Philox(key=key)).uniform(low, high, (count, num_waves))
    return Waves(domain_size, frequencies)


def _range(given: list[float] | None) -> tuple[float, float]:
    if given is None:
        return 3.0, 6.0
    if len(given) != 2 or given[0] > given[1]:
        raise ConfigError(
            Problem("data.bc_frequency", f"must be the least and the greatest frequency, got {show(given)}")
        )
    return float(given[0]), float(given[1])
