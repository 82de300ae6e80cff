"""What a configuration may say: every fault at once, each with its path and a way out.

A section of a configuration (`data`, `loss`, ...) accepts the keys of one or more components; a key of the section such
as `function` or `type` chooses which. The same check judges a file as written and the composed configuration, so that
nothing slips past through a group file or the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rmldnn.component import alone, show
from rmldnn.config import catalog
from rmldnn.config.deepspeed import check_settings
from rmldnn.config.detection import check_detection
from rmldnn.config.gan import check_adversaries
from rmldnn.config.keys import SECTIONS, TOP, Values, check_chosen, check_keys, merged
from rmldnn.config.parts import check_layers, check_parts, in_parts
from rmldnn.config.pde import check_equation
from rmldnn.config.requirements import check_requirements
from rmldnn.config.samples import check_data, trains
from rmldnn.config.sweep import check_sweep
from rmldnn.config.zero import check_zero
from rmldnn.errors import Problem, Remedy
from rmldnn.optimizers.groups import check_groups

NAMED = {"task": "type", "network": "type", "loss": "function", "optimizer": "type", "lr_scheduler": "type"}
"""The key of a section that names its component. A name alone stands for an object of this key alone."""
PARAMETERS = "parameters"
"""The key of `optimizer` that gives keys to some layers only."""


def check(values: Values) -> Iterator[Problem]:
    """Every problem of a configuration (the content of `neural_network`), paths in its own words."""
    yield from check_sections(values)
    yield from check_together(values)


def check_sections(values: Values) -> Iterator[Problem]:
    """What each section has of problems by itself."""
    yield from check_keys(merged("", *map(catalog.only, TOP)), values, "", SECTIONS)
    for name, judge in _JUDGES.items():
        section = values.get(name)
        if isinstance(section, list) and name in _LISTS:
            yield from _LISTS[name](section)
        elif name in ("network", "optimizer") and in_parts(section):
            yield from check_parts(section, name, judge)
        elif section is not None and not isinstance(section, dict):
            such = f' such as {{"{NAMED[name]}": "..."}}' if name in NAMED else ""
            yield Problem(name, f"must be an object{such}, got {show(section)}")
        else:
            yield from judge(section)
    yield from _metrics(values.get("metrics"))
    yield from _tracking(values.get("tracking"))
    yield from check_settings(values.get("deepspeed"))
    yield from check_layers(values.get("layers"))


def check_together(values: Values) -> Iterator[Problem]:
    """What sections ask of each other, and which are missing."""
    data = values.get("data")
    yield from check_adversaries(values, trains=isinstance(data, dict) and trains(data))
    yield from check_requirements(values)
    yield from check_zero(values)
    yield from check_equation(values)
    yield from check_detection(values)


def _task(values: Values | None) -> Iterator[Problem]:
    yield from check_chosen(values, "task", "type", "task")


def _network(values: Values | None) -> Iterator[Problem]:
    yield from check_chosen(values, "network", "type", "zoo")


def _loss(values: Values | None) -> Iterator[Problem]:
    yield from check_chosen(values, "loss", "function", "loss")


def _losses(items: list[Any]) -> Iterator[Problem]:
    if not items:
        yield Problem("loss", 'lists no loss; write {"function": "..."}, or several of these with a `weight` each')
    for index, item in enumerate(items):
        here = f"loss[{index}]"
        if not isinstance(item, dict):
            yield Problem(here, f'must be an object such as {{"function": "Dice", "weight": 0.7}}, got {show(item)}')
            continue
        if "factor" in item and _is_number(item.get("weight")):
            yield Problem(f"{here}.weight", "a number is the weight of the loss, as `factor` is; remove one of them")
        factor, keys = term(item)
        if not _is_number(factor) or factor < 0:
            name = "factor" if "factor" in item else "weight"
            yield Problem(f"{here}.{name}", f"must be a number of at least 0, got {show(factor)}")
        yield from check_chosen(keys, here, "function", "loss")


def term(item: Values) -> tuple[Any, Values]:
    """The weight of a loss in a sum of losses, `factor` or a `weight` that is a number, and its other keys."""
    keys = dict(item)
    factor = keys.pop("factor", 1.0)
    return (keys.pop("weight"), keys) if _is_number(keys.get("weight")) else (factor, keys)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _metrics(items: Any) -> Iterator[Problem]:
    if items is not None and not isinstance(items, list):
        message = f'must be a list such as ["IoU", {{"name": "AUROC"}}], got {alone(items)}'
        yield Problem("metrics", message, remedy=Remedy("value", items, [items]))
        return
    for index, item in enumerate(items or ()):
        here = f"metrics[{index}]"
        if not isinstance(item, (str, dict)):
            yield Problem(here, f'must be a name or an object such as {{"name": "IoU"}}, got {show(item)}')
        elif isinstance(item, str) and catalog.find("metric", item) is None:
            yield catalog.unknown("metric", item, here)
        elif isinstance(item, dict):
            yield from check_chosen(item, here, "name", "metric")


def _checkpoints(values: Values | None) -> Iterator[Problem]:
    yield from check_keys(catalog.only("checkpoints"), values or {}, "checkpoints")


def _engine(values: Values | None) -> Iterator[Problem]:
    yield from check_keys(catalog.only("engine"), values or {}, "engine")


def _tracking(section: Any) -> Iterator[Problem]:
    several = isinstance(section, list)
    for index, item in enumerate(section if several else [] if section is None else [section]):
        here = f"tracking[{index}]" if several else "tracking"
        if isinstance(item, dict):
            yield from check_chosen(item, here, "type", "tracker")
        elif not isinstance(item, str):
            yield Problem(here, f'must be a name such as "TensorBoard", or an object with a `type`, got {show(item)}')
        elif catalog.find("tracker", item) is None:
            yield catalog.unknown("tracker", item, here)


def _early_stopping(values: Values | None) -> Iterator[Problem]:
    yield from check_keys(catalog.only("early_stopping"), values or {}, "early_stopping")


def _multigrid(values: Values | None) -> Iterator[Problem]:
    if values is not None:
        yield from check_keys(catalog.only("multigrid"), values, "multigrid")


def _optimizer(values: Values | None) -> Iterator[Problem]:
    yield from check_chosen(values, "optimizer", "type", "optimizer", ("lr_scheduler", PARAMETERS))
    optimizer = catalog.find("optimizer", str((values or {}).get("type")))
    if optimizer is not None and values is not None and values.get(PARAMETERS) is not None:
        yield from check_groups(values[PARAMETERS], optimizer)
    path, schedules = "optimizer.lr_scheduler", (values or {}).get("lr_scheduler")
    if isinstance(schedules, list):
        for index, item in enumerate(schedules):
            yield from _schedule(item, f"{path}[{index}]")
    elif schedules is not None:
        yield from _schedule(schedules, path)


def _schedule(values: Any, path: str) -> Iterator[Problem]:
    if isinstance(values, dict):
        yield from check_chosen(values, path, "type", "scheduler")
    else:
        yield Problem(path, f'must be an object such as {{"type": "Step"}}, got {show(values)}')


_JUDGES = {
    "task": _task,
    "network": _network,
    "data": check_data,
    "loss": _loss,
    "optimizer": _optimizer,
    "early_stopping": _early_stopping,
    "multigrid": _multigrid,
    "checkpoints": _checkpoints,
    "engine": _engine,
    "sweep": check_sweep,
}
_LISTS: Mapping[str, Callable[[list[Any]], Iterator[Problem]]] = {"loss": _losses}
"""Sections that may be lists."""
