"""A configuration, what `run(epochs=3)` tells trackers, and where it may be killed."""

import pytest

CONFIG = {
    "num_epochs": 3,
    "outfile": None,
    "layers": [{"class_name": "Dense"}] * 3,
    "optimizer": {"type": "SGD", "learning_rate": 0.1, "nesterov": False},
    "data": {"transforms": [{"resize": [28, 28]}]},
}
PARAMETERS = {
    "num_epochs": 3,
    "layers": "3 layers",
    "optimizer.type": "SGD",
    "optimizer.learning_rate": 0.1,
    "optimizer.nesterov": False,
    "data.transforms": '[{"resize": [28, 28]}]',
}
LOSSES = {epoch * 3 + batch: 0.7 / batch for epoch in range(3) for batch in (1, 2, 3)}
"""What `run(epochs=3)` has as losses of its updates, by number."""
TEST_LOSSES = {step: pytest.approx(0.66031) for step in (3, 6, 9)}
PLACES = pytest.mark.parametrize(
    ("saved", "further"), [(2, 0), (2, 5), (3, 3), (3, 12), (5, 0), (5, 9), (7, 0), (7, 4), (9, 1), (21, 0)]
)
"""Steps until the state is saved: amid an epoch, behind its last update, in its evaluation, at its end; and behind."""
