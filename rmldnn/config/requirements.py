"""What the sections of a configuration ask of each other."""

from __future__ import annotations

from collections.abc import Iterator

from rmldnn.component import misspelt
from rmldnn.config import catalog
from rmldnn.config.gan import is_gan, makes_samples, needs_no_targets
from rmldnn.config.keys import Values
from rmldnn.config.samples import PATHLESS, side_types, tests, trains
from rmldnn.errors import Problem

SEARCHING = ("hessian",)
"""Optimizers that look for their steps by themselves (`needs_closure`)."""
AVERAGING = ("schedulefreeadamw",)
"""Optimizers that keep a mean of the weights by themselves."""


def check_requirements(values: Values) -> Iterator[Problem]:
    """Every problem that no section has by itself, but for those of the tasks and of `engine`."""
    if not is_gan(values):
        yield from _one_network(values)
    data = values.get("data")
    if isinstance(data, dict):
        yield from _sets(values, data)
        yield from _targets(values, data)
        yield from _predictions(values, data)
    yield from _optimizer(values)


def optimizer_type(values: Values) -> str:
    """The name of the one optimizer that a run learns by, in small letters; empty if it has none, or two."""
    optimizer, data = values.get("optimizer"), values.get("data")
    learns = isinstance(optimizer, dict) and isinstance(data, dict) and trains(data)
    return str(optimizer.get("type", "")).lower() if learns and isinstance(optimizer, dict) else ""


def _one_network(values: Values) -> Iterator[Problem]:
    keys = ("layers", "network")
    given = [key for key in keys if values.get(key) is not None]
    if len(given) > 1:
        yield Problem("network", "`layers` and `network` both say what the network is; remove one of them")
    if not given and not any(misspelt(key, values.keys() - set(keys)) for key in keys):
        yield Problem(
            "",
            "`layers` is missing; name a Keras file or list the layers there, or choose a known network: "
            '"network": {"type": "resnet18", ...}',
        )


def _sets(values: Values, data: Values) -> Iterator[Problem]:
    if not trains(data) and not tests(data) and not makes_samples(values):
        more = "; to make samples of random numbers alone, set `task.num_samples`" if is_gan(values) else ""
        message = f"needs `input_path` to train, `test_input_path` to evaluate or predict, or both{more}"
        yield Problem("data", message)
    if trains(data):
        for section in ("loss", "optimizer"):
            if values.get(section) is None:
                remedy = f'"{section}": {{"{"function" if section == "loss" else "type"}": "..."}}'
                known = catalog.suggest(section, "").removeprefix("; known here: ")
                yield Problem("", f"`{section}` is missing; training needs {remedy} with one of {known}")


def _targets(values: Values, data: Values) -> Iterator[Problem]:
    target = side_types(data)["target"]
    kind = target.lower() if isinstance(target, str) else None
    wanted = target is not None and kind not in PATHLESS and not needs_no_targets(values)
    if trains(data) and target is None and not is_gan(values):
        yield Problem("data", "`target_type` is missing; training needs targets, such as `labels`")
    elif trains(data) and wanted and not data.get("target_path"):
        yield Problem("data", f"`target_path` is missing; the targets of type `{target}` lie there")
    if kind == "labels":
        for key in ("target_path", "test_target_path"):
            if data.get(key):
                yield Problem(f"data.{key}", "labels are names of folders in the input's path; remove this key")
    given = tests(data) and (kind in PATHLESS or data.get("test_target_path"))
    if given and not is_gan(values) and not trains(data) and not values.get("loss"):
        yield Problem(
            "", "`loss` is missing; it is needed to evaluate on targets (or leave the targets out to predict)"
        )


def _predictions(values: Values, data: Values) -> Iterator[Problem]:
    for key in ("test_output_path", "hdf5_outfile"):
        if data.get(key) and not tests(data) and not is_gan(values):
            yield Problem(f"data.{key}", "there is no `test_input_path` whose predictions could be written")
    if data.get("hdf5_outfile") and trains(data) and values.get("early_stopping"):
        message = "is written in the last epoch, which is not known with `early_stopping`; predict in a run of its own"
        yield Problem("data.hdf5_outfile", message)
    if data.get("hdf5_outfile") and not data.get("slicers"):
        yield Problem(
            "data.hdf5_outfile",
            "puts slices together, but there are no `slicers`; predictions of whole samples go to `test_output_path`",
        )


def _optimizer(values: Values) -> Iterator[Problem]:
    """What has no meaning for some optimizers."""
    name = optimizer_type(values)
    engine = values.get("engine")
    engine = engine if isinstance(engine, dict) else {}
    if name in SEARCHING:
        message = "has no meaning for an optimizer that looks for its steps by itself; remove it"
        if values.get("gradient_clip"):
            yield Problem("gradient_clip", message)
        for path, precision in (("precision", values.get("precision")), ("engine.precision", engine.get("precision"))):
            if precision == "fp16":
                yield Problem(path, message)
    if name in AVERAGING and values.get("ema") is not None:
        yield Problem("ema", "has no meaning for an optimizer that keeps a mean of the weights by itself; remove it")
