"""What the log says about a set."""

from __future__ import annotations

from rmldnn.data.loader import Loader


def rows(loader: Loader) -> list[tuple[str, str | int]]:
    """The rows of one set in the section `Dataset`; its `transforms` follow them."""
    dataset, batch_size, world = loader.dataset, loader.batch_size, loader.world
    count = len(dataset)
    return [
        ("Type", dataset.kind),
        (f"Num {dataset.noun:<7} (total)", count),
        (f"Num {dataset.noun:<7} (per process)", -(-count // world)),
        ("Batch size  (requested)", batch_size),
        ("Batch size  (per process)", -(-batch_size // world)),
        ("Num batches (per process)", len(loader)),
    ]
