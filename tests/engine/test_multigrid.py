"""The way through resolutions: which level an epoch has."""

import pytest

from rmldnn.engine.multigrid import multigrid
from rmldnn.errors import ConfigError

CYCLES = {
    "half-V": [0, 1, 2, 3],
    "V": [3, 2, 1, 0, 1, 2, 3],
    "W": [3, 2, 1, 0, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 3],
    "F": [3, 2, 1, 0, 1, 0, 1, 2, 1, 0, 1, 2, 3],
}


@pytest.mark.parametrize("cycle", CYCLES)
def test_the_order_of_visits(cycle):
    assert multigrid(levels=[8, 16, 32, 64], cycle=cycle).visits == CYCLES[cycle]


def test_epochs_by_visit():
    grid = multigrid(levels=[8, 16], cycle="V", epochs=[1, 3, 2])
    assert [grid.extent(epoch) for epoch in range(1, 8)] == [16, 8, 8, 8, 16, 16, 16]
    assert grid.num_epochs == 6


def test_epochs_by_level():
    grid = multigrid(levels=[8, 16], cycle="V", epochs=[3, 1])
    assert grid.epochs == [1, 3, 1]


def test_as_many_epochs_for_each_visit():
    assert multigrid(levels=[8, 16, 32], epochs=2).num_epochs == 6


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"levels": [16, 8]}, "multigrid.levels: must be two or more that ascend, got [16, 8]"),
        ({"levels": [16]}, "multigrid.levels: must be two or more that ascend, got [16]"),
        (
            {"levels": [8, 16], "cycle": "V", "epochs": [1]},
            "multigrid.epochs: must be 2, one for each level, or 3, one for each visit (16, 8, 16), got 1",
        ),
        (
            {"levels": [8, 16], "networks": []},
            "multigrid.networks: must be 1, one for each level but the finest, got 0",
        ),
    ],
)
def test_what_does_not_go_together(keys, message):
    with pytest.raises(ConfigError) as caught:
        multigrid(**keys)
    assert str(caught.value) == message
