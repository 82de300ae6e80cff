"""What limits a run on many nodes, and what would help, tried out in the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rmldnn.engine.buckets import FIRST
from rmldnn.scaling.model import PARTS, Machine, Prediction, predict, update
from rmldnn.scaling.probe import Probed

_WORTH = 0.8
"""The efficiency that hints aim at."""
_FACTORS = (2, 4, 8, 16, 32, 64)
_BUCKETS = 5
"""Of so many equal buckets only the last is sent behind the backward pass."""


def hints(way: str, rows: Sequence[Prediction], probed: Probed, machine: Machine) -> str:
    """The limit on the largest number of nodes, since when it is one, and remedies; empty where nothing limits.

    Args:
        way: `strong` or `weak` scaling.
        rows: Predictions, nodes ascending.
        probed: What they follow from.
        machine: The nodes.
    """
    last = rows[-1]
    if not last.limit:
        return ""
    since = last
    for row in reversed(rows):
        if row.limit != last.limit:
            break
        since = row
    place = f"from {since.nodes:,} node{'s' if since.nodes > 1 else ''} on"
    sentence = f"{way.capitalize()} scaling is limited by {PARTS[last.limit]} {place}."
    weak = way == "weak"
    return " ".join(filter(None, [sentence, _larger(last, probed, machine, weak=weak), _other(last, probed, machine)]))


def _efficiency(nodes: int, probed: Probed, machine: Machine, batch: int, *, weak: bool, **method: Any) -> float:
    """What would come out with a batch of another size, or another method."""
    changed = replace(probed.method, **method)
    return predict(probed.measured, machine, changed, [nodes], batch, weak=weak)[0].efficiency


def _larger(last: Prediction, probed: Probed, machine: Machine, *, weak: bool) -> str:
    """The smallest batch, or number of batches to an update, that is worth the nodes."""
    if last.limit == "data" or last.efficiency >= _WORTH:
        return ""
    found = []
    for factor in _FACTORS:
        size = probed.batch * factor
        if _efficiency(last.nodes, probed, machine, size, weak=weak) >= _WORTH:
            whole = size * last.nodes if weak else size
            found.append(f"`data.batch_size` {whole:,}" + (f" ({size:,} for each node)" if weak else ""))
            break
    for factor in _FACTORS:
        times = probed.method.accumulate * factor
        if _efficiency(last.nodes, probed, machine, probed.batch, weak=weak, accumulate=times) >= _WORTH:
            found.append(f"`accumulate` {times}")
            break
    if not found:
        return f"No batch up to {_FACTORS[-1]} times as large brings {_WORTH:.0%} on {last.nodes:,} nodes."
    return f"{' or '.join(found)} would bring {_WORTH:.0%} on {last.nodes:,} nodes."


def _other(last: Prediction, probed: Probed, machine: Machine) -> str:
    """What helps against the very limit."""
    measured, method = probed.measured, probed.method
    if last.limit == "data":
        return "Read faster by `preload`, `cache`, or shards (`rmldnn shard`), or with more `data.num_workers`."
    if last.limit == "exchanges" and measured.exchanges > 2:
        saved = last.parts["exchanges"] / last.seconds
        return f"`sync_batchnorm` false saves up to {saved:.0%} of a step, and changes what is learned."
    if last.limit == "uneven":
        return f"Take a `data.batch_size` that is a multiple of {last.processes:,}, the number of processes."
    if last.limit == "communication" and method.stage == 0:
        numbers = -(-measured.gradient // 4 // _BUCKETS)
        sent = replace(method, overlap=True, bucket=4.0 * numbers, first=4.0 * FIRST)
        part = update(measured, machine, sent, last.nodes, last.batch).seconds / last.seconds
        if part < 0.98:
            switch = "" if method.overlap else "`engine.overlap` true with "
            return f"{switch}`engine.bucket_size` {numbers} sends while it computes, in {part:.0%} of the time."
    return ""
