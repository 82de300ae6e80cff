"""`rmldnn scale`: what more nodes would bring."""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rmldnn.component import show
from rmldnn.config import translate
from rmldnn.config.samples import trains
from rmldnn.engine.interface import Engine, open_engine
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.tables import print_table
from rmldnn.scaling import report
from rmldnn.scaling.hints import hints
from rmldnn.scaling.model import Machine, predict
from rmldnn.scaling.probe import probe
from rmldnn.verbs import add_configuration, loaded_configuration, parser
from rmldnn.verbs.starting import processes as start_processes

DESCRIPTION = """\
Measures for a minute what a training step of a configuration costs on this machine, and predicts the time of a step and
of an epoch on more nodes: where they share out the batch (strong scaling), and where the batch grows with them (weak
scaling). Nothing is trained for good, and nothing is written. docs/scaling.md explains the model.

  rmldnn scale config.json --nodes 1,8,64,512
  rmldnn scale config.json --nodes 1,2,4 --procs-per-node 8 --bandwidth 25
  rmldnn scale config.json --procs 2              measures the exchange between two processes too
  mpirun -np 2 rmldnn scale config.json           ... by another launcher, on several machines perhaps"""
_RESTLESS = 0.1
"""Steps that differ by more say something about the machine."""


def main(arguments: Sequence[str]) -> int:
    """Measures, predicts, prints; returns the exit code."""
    given = _parsed(arguments)
    if (code := start_processes(given.procs, ["scale", *arguments])) is not None:
        return code
    nodes = _nodes(given.nodes)
    ranks = Ranks.from_environment()
    with ranks.one_voice():
        loaded, changes = loaded_configuration(given)
        composed = translate.compose(loaded, changes)
        if not trains(composed.values["data"]):
            problem = Problem("data.input_path", "is missing: `rmldnn scale` measures training steps, which need it")
            raise ConfigError(loaded.located(problem))
    with composed.places(), open_engine(ranks) as engine:
        on_gpu = engine.device.type == "cuda"
        processes = given.procs_per_node or _usual_processes(engine.local_world, on_gpu=on_gpu)
        if not on_gpu:
            _share_cores(engine, processes)
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
        print(json.dumps(report.facts(probed, machine, tables, advice), indent=2))
        return 0
    print_table(*report.costs(probed), plain=ranks.launched)
    print_table(*report.nodes(machine, given, exchanged=probed.exchange is not None, apart=apart), plain=ranks.launched)
    if probed.measured.deviation > _RESTLESS and given.deviation is None:
        print(
            f"Steps of one size differ by {probed.measured.deviation:.0%} here, as they do beside other programs, and "
            "many processes wait for the slowest of them. On nodes of your own: --deviation 2\n"
        )
    for way, rows in tables.items():
        print_table(*report.predictions(way, rows, probed), plain=ranks.launched)
    for hint in advice:
        print(hint)
    return 0


def _parsed(arguments: Sequence[str]) -> Namespace:
    options = parser("scale", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--nodes", default="1,2,4,8,16,32,64", metavar="N,N,...", help="how many nodes; 1 to 64")
    options.add_argument("--procs", metavar="N", help="measure with N processes of this machine, which exchange too")
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


def _share_cores(engine: Engine, processes: int) -> None:
    """Computes with no more threads than each of some processes on this machine could.

    Raises:
        ConfigError: There are fewer cores than processes.
    """
    import torch

    cores = engine.cores * engine.local_world
    if processes > max(cores, engine.local_world):
        raise ConfigError(
            f"--procs-per-node must be at most {cores} on CPUs, the cores of this machine, got {processes}; nodes are "
            "taken to be like it"
        )
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores // processes)))


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
