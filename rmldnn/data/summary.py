"""What the log says about a set."""

from __future__ import annotations

from rmldnn.data.loader import Loader


def rows(loader: Loader, *, turns: bool = False) -> list[tuple[str, str | int]]:
    """The rows of one set in the section `Dataset`; its `transforms` follow them.

    Args:
        loader: The set.
        turns: Whether processes take turns at whole batches, instead of sharing each.
    """
    dataset, batch_size, world = loader.dataset, loader.batch_size, loader.world
    count, batches = len(dataset), len(loader)
    share, samples = -(-batch_size // world), -(-count // world)
    if turns:
        batches = -(-batches // world)
        share, samples = batch_size, min(count, batches * batch_size)
    return [
        ("Type", dataset.kind),
        (f"Num {dataset.noun:<7} (total)", count),
        (f"Num {dataset.noun:<7} (per process)", samples),
        ("Batch size  (requested)", batch_size),
        ("Batch size  (per process)", share),
        ("Num batches (per process)", batches),
    ]
