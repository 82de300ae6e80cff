"""`rmldnn scale`: what more nodes would bring."""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rmldnn.component import show
from rmldnn.config import spec, translate
from rmldnn.config.check import trains
from rmldnn.engine.interface import open_engine
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.tables import bytes_, count, print_table
from rmldnn.scaling.hints import hints
from rmldnn.scaling.model import PARTS, Machine, Measured, Prediction, predict
from rmldnn.scaling.probe import Probed, probe
from rmldnn.verbs import configuration, parser

DESCRIPTION = """\
Measures for a minute what a training step of a configuration costs on this machine, and predicts the time of a step and
of an epoch on more nodes: where they share out the batch (strong scaling), and where the batch grows with them (weak
scaling). Nothing is trained for good, and nothing is written. docs/scaling.md explains the model.

  rmldnn scale config.json --nodes 1,8,64,512
  rmldnn scale config.json --nodes 1,2,4 --procs-per-node 8 --bandwidth 25
  mpirun -np 2 rmldnn scale config.json           measures the exchange between two processes too"""

_RESTLESS = 0.1
"""Steps that differ by more say something about the machine."""


def main(arguments: Sequence[str]) -> int:
    """Measures, predicts, prints; returns the exit code."""
    given = _parsed(arguments)
    nodes = _nodes(given.nodes)
    file, changes = configuration(given.words)
    ranks = Ranks.from_environment()
    with ranks.one_voice():
        loaded = spec.load(file, lenient=given.lenient)
        composed = translate.compose(loaded, changes)
        if not trains(composed.values["data"]):
            problem = Problem("data.input_path", "is missing: `rmldnn scale` measures training steps, which need it")
            raise ConfigError(loaded.located(problem))
    with composed.places(), open_engine(ranks) as engine:
        on_gpu = engine.device.type == "cuda"
        processes = given.procs_per_node or _usual_processes(engine.local_world, on_gpu=on_gpu)
        with ranks.one_voice():
            probed = probe(
                composed.values, engine, given.seconds, processes, lenient=given.lenient, synthetic=given.synthetic
            )
        apart = engine.local_world < engine.world
    if ranks.rank:
        return 0
    if given.deviation is not None:
        probed = replace(probed, measured=replace(probed.measured, deviation=given.deviation / 100))
    for problem in [*loaded.warnings, *composed.notices]:
        print(f"Warning: {problem}", file=sys.stderr)
    machine = _machine(given, processes, probed.exchange, on_gpu=on_gpu, apart=apart)
    tables = {
        way: predict(probed.measured, machine, probed.method, nodes, probed.batch, weak=way == "weak")
        for way in ("strong", "weak")
        if given.way in (None, way)
    }
    advice = [hint for way, rows in tables.items() if (hint := hints(way, rows, probed, machine))]
    if given.json:
        print(json.dumps(_facts(probed, machine, tables, advice), indent=2))
        return 0
    _show_measured(probed, machine, given)
    for way, rows in tables.items():
        _show(way, rows, probed)
    for hint in advice:
        print(hint)
    return 0


def _parsed(arguments: Sequence[str]) -> Namespace:
    options = parser("scale", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    options.add_argument("words", nargs="+", metavar="CONFIG KEY=VALUE", help="configuration file, then changes")
    options.add_argument("--nodes", default="1,2,4,8,16,32,64", metavar="N,N,...", help="how many nodes; 1 to 64")
    options.add_argument("--procs-per-node", type=int, metavar="N", help="processes on a node; its GPUs, or 1")
    options.add_argument("--bandwidth", type=float, metavar="GB/s", help="of a node's network; 10 (100 Gb/s), CPUs 2")
    options.add_argument("--latency", type=float, metavar="US", help="microseconds of a message; 5, CPUs 30")
    options.add_argument("--local-bandwidth", type=float, metavar="GB/s", help="inside a node; 50, CPUs 2")
    options.add_argument("--all-reduce", choices=("auto", "ring", "tree"), help="how sums are taken between nodes")
    options.add_argument("--deviation", type=float, metavar="%", help="standard deviation of a step; as measured here")
    options.add_argument("--seconds", type=float, default=60.0, metavar="S", help="how long to measure; 60")
    options.add_argument("--synthetic", action="store_true", help="random numbers in place of the training set")
    which = options.add_mutually_exclusive_group()
    which.add_argument("--strong", dest="way", action="store_const", const="strong", help="only a batch shared out")
    which.add_argument("--weak", dest="way", action="store_const", const="weak", help="only a batch that grows")
    options.add_argument("--json", action="store_true", help="for programs instead of for people")
    options.add_argument("--lenient", action="store_true", help="unknown and repeated keys are warnings, not errors")
    given = options.parse_intermixed_args(list(arguments))
    for name in ("procs_per_node", "bandwidth", "local_bandwidth", "seconds"):
        value = getattr(given, name)
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"--{name.replace('_', '-')} must be greater than 0, got {show(value)}")
    for name in ("latency", "deviation"):
        value = getattr(given, name)
        if value is not None and not 0 <= value < math.inf:
            raise ConfigError(f"--{name} must be at least 0, got {show(value)}")
    return given


def _nodes(text: str) -> list[int]:
    try:
        nodes = [int(part) for part in text.split(",")]
    except ValueError:
        nodes = []
    if not nodes or min(nodes) < 1:
        raise ConfigError(f"--nodes must be positive integers such as 1,8,64,512, got {show(text)}")
    return sorted(set(nodes))


def _usual_processes(here: int, *, on_gpu: bool) -> int:
    """One for each GPU, or as many as measure here."""
    if here == 1 and on_gpu:
        import torch

        return torch.cuda.device_count()
    return here


def _machine(
    given: Namespace, processes: int, exchange: tuple[float, float] | None, *, on_gpu: bool, apart: bool
) -> Machine:
    """The nodes: what was measured, under what the command line says.

    Args:
        given: The command line.
        processes: Processes on a node.
        exchange: Bandwidth and latency between the processes of this run.
        on_gpu: Whether they compute on GPUs.
        apart: Whether they are on several nodes.
    """
    machine = Machine(processes) if on_gpu else Machine(processes, 2e9, 30e-6, 2e9, 30e-6, "ring")  # Gloo, over TCP
    if exchange is not None and apart:
        machine = replace(machine, bandwidth=exchange[0], latency=exchange[1])
    elif exchange is not None:
        machine = replace(machine, local_bandwidth=exchange[0], local_latency=exchange[1])
    wanted: dict[str, Any] = {
        "bandwidth": given.bandwidth and given.bandwidth * 1e9,
        "latency": None if given.latency is None else given.latency * 1e-6,
        "local_bandwidth": given.local_bandwidth and given.local_bandwidth * 1e9,
        "algorithm": given.all_reduce,
    }
    return replace(machine, **{key: value for key, value in wanted.items() if value is not None})


def _facts(
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


def _show_measured(probed: Probed, machine: Machine, given: Namespace) -> None:
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
    print_table("Measured on this machine", ["", ""], rows)
    within = "given" if given.local_bandwidth else "measured" if probed.exchange else "assumed"
    rows = [
        ("Processes on a node", str(machine.processes)),
        ("Network of a node", _link(machine.bandwidth, machine.latency, "given" if given.bandwidth else "assumed")),
        ("Inside a node", _link(machine.local_bandwidth, machine.local_latency, within)),
    ]
    print_table("Nodes", ["", ""], rows if machine.processes > 1 else rows[:2])
    if measured.deviation > _RESTLESS and given.deviation is None:
        print(
            f"Steps of one size differ by {measured.deviation:.0%} here, as they do beside other programs, and many "
            "processes wait for the slowest of them. On nodes of your own: --deviation 2\n"
        )


def _link(bandwidth: float, latency: float, source: str) -> str:
    return f"{bandwidth / 1e9:.3g} GB/s, {latency * 1e6:.3g} us ({source})"


def _loading(measured: Measured) -> str:
    if math.isinf(measured.loading):
        return "not counted"
    beside = "while others are learned from" if measured.ahead else "before they are learned from"
    return f"{measured.loading:,.4g} samples/s in each process, {beside}"


def _method(probed: Probed) -> str:
    method = probed.method
    words = [f"zero {method.stage}", "sends while it computes" if method.overlap else "sends behind the backward pass"]
    return ", ".join([*words, f"{method.accumulate} batches to an update"] if method.accumulate > 1 else words)


def _show(way: str, rows: Sequence[Prediction], probed: Probed) -> None:
    meaning = {"strong": "the nodes share out the batch", "weak": "every node adds a batch"}
    print_table(
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
