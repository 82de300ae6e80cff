"""What the log says about a set."""

from __future__ import annotations

from rmldnn.data.sets import Dataset


def rows(dataset: Dataset, batch_size: int, world: int = 1) -> list[tuple[str, str | int]]:
    """The rows of one set in the section `Dataset`; its `transforms` follow them.

    Args:
        dataset: The set.
        batch_size: Samples of a batch, over all processes.
        world: Number of processes.
    """
    count = len(dataset)
    return [
        ("Type", dataset.kind),
        (f"Num {dataset.noun:<7} (total)", count),
        (f"Num {dataset.noun:<7} (per process)", -(-count // world)),
        ("Batch size  (requested)", batch_size),
        ("Batch size  (per process)", -(-batch_size // world)),
        ("Num batches (per process)", -(-count // batch_size)),
    ]
