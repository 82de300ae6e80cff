"""What `rmldnn scale` says: tables for people, numbers for programs."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from rmldnn.output.tables import bytes_, count
from rmldnn.scaling.model import PARTS, Machine, Measured, Prediction
from rmldnn.scaling.probe import Probed

Table: TypeAlias = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A title, the titles of columns, and rows."""


def facts(
    probed: Probed, machine: Machine, tables: Mapping[str, Sequence[Prediction]], advice: Sequence[str]
) -> dict[str, Any]:
    """Everything, for programs; seconds and bytes."""
    measured = asdict(probed.measured)
    del measured["ready"]
    return {
        "device": probed.device,
        "measured": {
            **{key: None if value == math.inf else value for key, value in measured.items()},
            "gradient_bytes": probed.measured.gradient,
            "parameters": len(probed.measured.ready),
            "batches": [{"size": size, "seconds": seconds} for size, seconds in probed.points],
            "misfit": probed.misfit,
            "training_samples": probed.count or None,
        },
        "machine": asdict(machine),
        "method": {key: None if value == math.inf else value for key, value in asdict(probed.method).items()},
        **{way: [_row(row, probed) for row in rows] for way, rows in tables.items()},
        "hints": list(advice),
    }


def _row(row: Prediction, probed: Probed) -> dict[str, Any]:
    return {
        "nodes": row.nodes,
        "processes": row.processes,
        "batch_size": row.batch,
        "samples_of_a_process": row.share,
        "step_seconds": row.seconds,
        "samples_per_second": row.rate,
        "epoch_seconds": row.epoch(probed.count, probed.measured.start) if probed.count else None,
        "efficiency": row.efficiency,
        "limit": row.limit or None,
        "parts": dict(row.parts),
    }


def costs(probed: Probed) -> Table:
    """What a step costs on this machine."""
    measured = probed.measured
    tried = ", ".join(f"{size} in {_time(seconds)}" for size, seconds in probed.points)
    rows = [
        ("Device", probed.device),
        ("Steps, by batch size", tried),
        ("On a line", f"{_time(measured.fixed + measured.update)} + {_time(measured.per_sample)} for a sample"),
        ("... farthest from it", f"{probed.misfit:.0%}"),
        ("Steps of one size", f"differ by {measured.deviation:.1%} (standard deviation)"),
        ("Backward pass", f"{measured.backward:.0%} of a step"),
        ("Gradient", f"{bytes_(measured.gradient)}, {len(measured.ready)} parameters"),
        ("Small exchanges", f"{measured.exchanges} for a batch"),
        ("Loading", _loading(measured)),
        ("Method", _method(probed)),
    ]
    return "Measured on this machine", ["", ""], rows


def nodes(machine: Machine, given: Namespace, *, exchanged: bool, apart: bool) -> Table:
    """What the nodes are taken to be, and where their numbers are from.

    Args:
        machine: The nodes.
        given: The command line.
        exchanged: Whether the exchange between processes was measured.
        apart: Whether these are on several nodes.
    """
    seen = "measured" if exchanged else "assumed"
    between, within = (seen, "assumed") if apart else ("assumed", seen)
    rows = [
        ("Processes on a node", str(machine.processes)),
        (
            "Network of a node",
            _link(
                (machine.bandwidth, between if given.bandwidth is None else "given"),
                (machine.latency, between if given.latency is None else "given"),
            ),
        ),
        (
            "Inside a node",
            _link(
                (machine.local_bandwidth, within if given.local_bandwidth is None else "given"),
                (machine.local_latency, within),
            ),
        ),
    ]
    return "Nodes", ["", ""], rows if machine.processes > 1 else rows[:2]


def _link(bandwidth: tuple[float, str], latency: tuple[float, str]) -> str:
    """What a network does, and where either number is from."""
    first = "" if bandwidth[1] == latency[1] else f" ({bandwidth[1]})"
    return f"{bandwidth[0] / 1e9:.3g} GB/s{first}, {latency[0] * 1e6:.3g} us ({latency[1]})"


def _loading(measured: Measured) -> str:
    if math.isinf(measured.loading):
        return "not counted"
    beside = "while others are learned from" if measured.ahead else "before they are learned from"
    return f"{measured.loading:,.4g} samples/s in each process, {beside}"


def _method(probed: Probed) -> str:
    method = probed.method
    words = [f"zero {method.stage}", "sends while it computes" if method.overlap else "sends behind the backward pass"]
    return ", ".join([*words, f"{method.accumulate} batches to an update"] if method.accumulate > 1 else words)


def predictions(way: str, rows: Sequence[Prediction], probed: Probed) -> Table:
    """Steps and epochs on some numbers of nodes.

    Args:
        way: `strong` or `weak` scaling.
        rows: Predictions, nodes ascending.
        probed: What they follow from.
    """
    meaning = {"strong": "the nodes share out the batch", "weak": "every node adds a batch"}
    return (
        f"{way.capitalize()} scaling: {meaning[way]}",
        [">Nodes", ">Batch", ">Share", ">Step", ">Samples/s", ">Epoch", ">Efficiency", "Limit"],
        [
            (
                f"{row.nodes:,}",
                f"{row.batch:,}",
                f"{row.share:,}",
                _time(row.seconds),
                f"{row.rate:.3g}" if row.rate < 100 else count(round(row.rate)),
                _time(row.epoch(probed.count, probed.measured.start)) if probed.count else "",
                f"{row.efficiency:.0%}",
                PARTS[row.limit] if row.limit else "",
            )
            for row in rows
        ],
    )


def _time(seconds: float) -> str:
    """As people read it: `1.3 ms`, `2.1 s`, `1 h 20 min`."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
