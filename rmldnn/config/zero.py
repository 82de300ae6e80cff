"""What `engine.zero` and `engine.offload` ask of the other sections: processes keep parts of the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rmldnn.component import show
from rmldnn.config import catalog
from rmldnn.config.keys import Values
from rmldnn.config.requirements import optimizer_type
from rmldnn.config.samples import trains
from rmldnn.errors import Problem

WHOLE = ("hessian", "muon", "schedulefreeadamw")
"""Optimizers that need whole tensors; those of ZeRO are flat pieces."""
FILLED = ("adagrad",)
"""Optimizers that keep numbers before their first step, for which DeepSpeed has no place on a disk."""


def check_zero(values: Values) -> Iterator[Problem]:
    """Every problem of sections that do not go together with `engine` and `deepspeed`."""
    engine, data, deepspeed = (_section(values, key) for key in ("engine", "data", "deepspeed"))
    stage = engine.get("zero", 0)
    yield from _precision(values, engine)
    yield from _offload(values, stage, engine, _section(deepspeed, "zero_optimization"))
    if not stage:
        return
    name = optimizer_type(values)
    if name in WHOLE:
        title = catalog.group("optimizer")[name].name
        message = f"must be 0 with the optimizer {title}, which needs whole tensors, got {stage}"
        yield Problem("engine.zero", f"{message}; or take another optimizer, such as AdamW")
    if data.get("batch_size") == "auto":
        yield Problem("data.batch_size", "`auto` measures a process that keeps everything; give a number here")
    if _section(values, "multigrid").get("networks"):
        yield Problem("multigrid.networks", "share their weights as a whole; set `engine.zero` to 0")
    if stage == 3:
        yield from _weights(values, data, engine)


def _precision(values: Values, engine: Values) -> Iterator[Problem]:
    ours, above = engine.get("precision"), values.get("precision")
    if ours is not None and above not in (None, "auto", ours):
        message = f"is {show(ours)}, but `precision` at the top level is {show(above)}; keep one of them"
        yield Problem("engine.precision", message)


def _offload(values: Values, stage: Any, engine: Values, settings: Values) -> Iterator[Problem]:
    offload, name = engine.get("offload"), optimizer_type(values)
    if offload and not stage:
        yield Problem("engine.offload", "is for what processes keep parts of; set `engine.zero` to 1, 2 or 3")
    if offload == "nvme" and stage in (1, 2):
        yield Problem("engine.offload", "`nvme` needs `engine.zero` 3; take `cpu`, or set `zero` to 3")
    if offload == "nvme" and name in FILLED:
        title = catalog.group("optimizer")[name].name
        message = f"must be `cpu` with the optimizer {title}; or take another one for `nvme`, such as AdamW"
        yield Problem("engine.offload", message)
    ratio = _section(settings, "offload_optimizer").get("ratio", 1)
    if ratio != 1 and stage != 3:
        path = "deepspeed.zero_optimization.offload_optimizer.ratio"
        yield Problem(path, f"a part of the numbers moves with `engine.zero` 3 only, got {show(ratio)}; leave it out")


def _weights(values: Values, data: Values, engine: Values) -> Iterator[Problem]:
    """What needs whole weights."""
    for key in ("compile", "activation_checkpointing"):
        if values.get(key):
            yield Problem(key, "does not work with `engine.zero` 3; take `zero` 2, or leave it out")
    if values.get("ema") and engine.get("offload"):
        yield Problem("ema", "does not work with `engine.zero` 3 and `engine.offload`; leave one of them out")
    if data.get("hdf5_outfile") and trains(data):
        message = "is written by one process, which has not all weights with `engine.zero` 3; predict in another run"
        yield Problem("data.hdf5_outfile", message)


def _section(values: Values, key: str) -> Values:
    section = values.get(key)
    return section if isinstance(section, dict) else {}
