"""What a configuration may say: every fault at once, each with its path and a way out.

A section of a configuration (`data`, `loss`, ...) accepts the keys of one or more components; a key of the section such
as `function` or `type` chooses which. The same check judges a file as written and the composed configuration, so that
nothing slips past through a group file or the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rmldnn.component import Form, alone, misspelt, show, unknown_key
from rmldnn.config import catalog
from rmldnn.config.deepspeed import check_settings
from rmldnn.config.detection import check_detection
from rmldnn.config.gan import check_adversaries, is_gan, makes_samples
from rmldnn.config.parts import check_parts, in_parts
from rmldnn.config.pde import check_equation
from rmldnn.errors import Problem
from rmldnn.optimizers.groups import check_groups

Values = dict[str, Any]

SECTIONS = (
    "task", "network", "data", "loss", "optimizer", "metrics", "early_stopping", "multigrid", "tracking", "checkpoints",
    "engine", "deepspeed",
)  # fmt: skip
TOP = ("job", "network", "compute")
"""Groups whose keys stand at the top level."""
NAMED = {"task": "type", "network": "type", "loss": "function", "optimizer": "type", "lr_scheduler": "type"}
"""The key of a section that names its component. A name alone stands for an object of this key alone."""
PARAMETERS = "parameters"
"""The key of `optimizer` that gives keys to some layers only."""
TRANSFORM_LISTS = ("transforms", "input_transforms", "target_transforms")
SLICERS = "slicers"
PATHLESS = ("labels", "mnist", "webdataset", "pde")
"""Sources that find the targets of inputs without a path of their own."""
_FEW = 8
"""A key that more components have than this is not explained by their names."""


def check(values: Values) -> Iterator[Problem]:
    """Every problem of a configuration (the content of `neural_network`), paths in its own words."""
    yield from _keys(_merged("", *map(catalog.only, TOP)), values, "", SECTIONS)
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
    if not is_gan(values):
        yield from _one_network(values)
    data = values.get("data")
    yield from check_adversaries(values, trains=isinstance(data, dict) and trains(data))
    yield from _requirements(values)
    yield from _parts(values)
    yield from check_equation(values)
    yield from check_detection(values)


def choice(values: Values | None, path: str, key: str, group: str) -> tuple[Form | None, list[Problem]]:
    """The component that a section names by `key`, or the problem of a missing or unknown name."""
    if values is None:
        return None, []
    name = values.get(key)
    if name is None:
        return None, [_missing(key, values, path, group)]
    if not isinstance(name, str):
        return None, [Problem(f"{path}.{key}", f"must be a name, got {show(name)}")]
    found = catalog.find(group, name)
    if found is None:
        return None, [Problem(f"{path}.{key}", catalog.absent(group, name))]
    return found, []


def _missing(key: str, values: Values, path: str, group: str) -> Problem:
    """The problem of a section that names no component, or does so by a misspelt key."""
    for word in values:
        if misspelt(key, [word]):
            return Problem(f"{path}.{word}", f"`{word}`: unknown key in {path}; did you mean `{key}`?")
    return Problem(path, f"`{key}` is missing{catalog.suggest(group, '')}")


def _chosen(values: Values | None, path: str, key: str, group: str, also: tuple[str, ...] = ()) -> Iterator[Problem]:
    found, problems = choice(values, path, key, group)
    yield from problems
    if found is not None and values is not None:
        yield from _keys(found, values, path, (key, *also), called=f"{path} {found.name}")


def _task(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "task", "type", "task")


def _network(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "network", "type", "zoo")


def _loss(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "loss", "function", "loss")


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
        yield from _chosen(keys, here, "function", "loss")


def term(item: Values) -> tuple[Any, Values]:
    """The weight of a loss in a sum of losses, `factor` or a `weight` that is a number, and its other keys."""
    keys = dict(item)
    factor = keys.pop("factor", 1.0)
    return (keys.pop("weight"), keys) if _is_number(keys.get("weight")) else (factor, keys)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _metrics(items: Any) -> Iterator[Problem]:
    if items is not None and not isinstance(items, list):
        yield Problem("metrics", f'must be a list such as ["IoU", {{"name": "AUROC"}}], got {alone(items)}')
        return
    for index, item in enumerate(items or ()):
        here = f"metrics[{index}]"
        if not isinstance(item, (str, dict)):
            yield Problem(here, f'must be a name or an object such as {{"name": "IoU"}}, got {show(item)}')
        elif isinstance(item, str) and catalog.find("metric", item) is None:
            yield Problem(here, catalog.absent("metric", item))
        elif isinstance(item, dict):
            yield from _chosen(item, here, "name", "metric")


def _checkpoints(values: Values | None) -> Iterator[Problem]:
    yield from _keys(catalog.only("checkpoints"), values or {}, "checkpoints")


def _engine(values: Values | None) -> Iterator[Problem]:
    yield from _keys(catalog.only("engine"), values or {}, "engine")


def _parts(values: Values) -> Iterator[Problem]:
    """What does not go together with processes that keep parts of the numbers."""
    engine, data = values.get("engine"), values.get("data")
    engine, data = engine if isinstance(engine, dict) else {}, data if isinstance(data, dict) else {}
    stage, offload = engine.get("zero", 0), engine.get("offload")
    if offload and not stage:
        yield Problem("engine.offload", "is for what processes keep parts of; set `engine.zero` to 1, 2 or 3")
    if offload == "nvme" and stage in (1, 2):
        yield Problem("engine.offload", "`nvme` needs `engine.zero` 3; take `cpu`, or set `zero` to 3")
    if stage and data.get("batch_size") == "auto":
        yield Problem("data.batch_size", "`auto` measures a process that keeps everything; give a number here")
    grid, task = values.get("multigrid"), values.get("task")
    if stage and isinstance(grid, dict) and grid.get("networks"):
        yield Problem("multigrid.networks", "share their weights as a whole; set `engine.zero` to 0")
    if grid and isinstance(task, dict) and str(task.get("type")).lower() in ("gan", "obj"):
        yield Problem("multigrid", f"is not for the task `{task['type']}`, whose targets are not resized; remove it")
    if stage == 3:
        for key in ("compile", "activation_checkpointing"):
            if values.get(key):
                yield Problem(key, "does not work with `engine.zero` 3; take `zero` 2, or leave it out")
        if values.get("ema") and offload:
            yield Problem("ema", "does not work with `engine.zero` 3 and `engine.offload`; leave one of them out")
        if data.get("hdf5_outfile") and trains(data):
            message = (
                "is written by one process, which has not all weights with `engine.zero` 3; predict in another run"
            )
            yield Problem("data.hdf5_outfile", message)


def _tracking(section: Any) -> Iterator[Problem]:
    several = isinstance(section, list)
    for index, item in enumerate(section if several else [] if section is None else [section]):
        here = f"tracking[{index}]" if several else "tracking"
        if isinstance(item, dict):
            yield from _chosen(item, here, "type", "tracker")
        elif not isinstance(item, str):
            yield Problem(here, f'must be a name such as "TensorBoard", or an object with a `type`, got {show(item)}')
        elif catalog.find("tracker", item) is None:
            yield Problem(here, catalog.absent("tracker", item))


def _early_stopping(values: Values | None) -> Iterator[Problem]:
    yield from _keys(catalog.only("early_stopping"), values or {}, "early_stopping")


def _multigrid(values: Values | None) -> Iterator[Problem]:
    if values is not None:
        yield from _keys(catalog.only("multigrid"), values, "multigrid")


def _optimizer(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "optimizer", "type", "optimizer", ("lr_scheduler", PARAMETERS))
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
        yield from _chosen(values, path, "type", "scheduler")
    else:
        yield Problem(path, f'must be an object such as {{"type": "Step"}}, got {show(values)}')


def side_types(data: Values) -> dict[str, Any]:
    """Names of the input's and the target's source; `type` sets both."""
    both = data.get("type")
    return {side: data.get(f"{side}_type") or both for side in ("input", "target")}


def sources(data: Values | None) -> tuple[dict[str, Form], list[Problem]]:
    """The source component of each side that has one."""
    found: dict[str, Form] = {}
    problems: list[Problem] = []
    for side, name in side_types(data or {}).items():
        key = f"{side}_type" if (data or {}).get(f"{side}_type") else "type"
        if name is None and side == "target":
            continue
        form, faults = choice({f"{side}_type" if name is None else key: name}, "data", key, "source")
        if name is None:
            faults = [] if misspelt("input_type", data or ()) else [_missing("input_type", {}, "data", "source")]
        if form is not None and side == "input" and form.name == "labels":
            form, faults = None, [Problem(f"data.{key}", "`labels` can only be a target; set `target_type`")]
        if form is not None:
            found[side] = form
        problems.extend(fault for fault in faults if fault not in problems)
    return found, problems


def data_form(found: Mapping[str, Form]) -> Form:
    """All keys of `data` for given sources: those of a source also with `input_` or `target_` for one side only."""
    form = _merged("data", catalog.only("data"), catalog.only("predictions"), *found.values())
    one_sided = {
        f"{side}_{name}": dataclasses.replace(parameter, name=f"{side}_{name}", default=None)
        for side, source in found.items()
        for name, parameter in source.parameters.items()
    }
    return dataclasses.replace(form, parameters={**form.parameters, **one_sided})


def _data(values: Values | None) -> Iterator[Problem]:
    if values is None:
        yield Problem("", "`data` is missing: where samples come from")
        return
    found, problems = sources(values)
    yield from problems
    if problems or "input" not in found:  # which keys are legal is unknown: let those of all sources pass
        found = dict.fromkeys(("input", "target"), _optional(_merged("", *catalog.group("source").values())))
    keys = ("type", "input_type", "target_type", *TRANSFORM_LISTS, SLICERS)
    yield from _keys(data_form(found), values, "data", keys)
    for name in TRANSFORM_LISTS:
        yield from _transforms(values.get(name), f"data.{name}")
    yield from _slicers(values.get(SLICERS))


_JUDGES = {
    "task": _task,
    "network": _network,
    "data": _data,
    "loss": _loss,
    "optimizer": _optimizer,
    "early_stopping": _early_stopping,
    "multigrid": _multigrid,
    "checkpoints": _checkpoints,
    "engine": _engine,
}
_LISTS: Mapping[str, Callable[[list[Any]], Iterator[Problem]]] = {"loss": _losses}
"""Sections that may be lists."""


def transform(item: Values) -> tuple[Form | None, Any]:
    """The component and keys of one item of a list of transforms: `{"resize": [28, 28]}`."""
    ((name, given),) = item.items()
    found = catalog.find("transform", name)
    if found is None or isinstance(given, dict) or len(found.parameters) != 1:
        return found, given
    return found, {next(iter(found.parameters)): given}


def _transforms(items: Any, path: str) -> Iterator[Problem]:
    if items is not None and not isinstance(items, list):
        yield Problem(path, f'must be a list such as [{{"resize": [28, 28]}}], got {alone(items)}')
        return
    for index, item in enumerate(items or ()):
        here = f"{path}[{index}]"
        if not isinstance(item, dict) or len(item) != 1 or not isinstance(next(iter(item)), str):
            yield Problem(here, f'must be an object of one key such as {{"resize": [28, 28]}}, got {show(item)}')
            continue
        found, given = transform(item)
        name = next(iter(item))
        if found is None:
            yield Problem(f"{here}.{name}", catalog.absent("transform", name))
        elif not isinstance(given, dict):
            keys = ", ".join(f"`{key}`" for key in found.parameters)
            yield Problem(f"{here}.{name}", f"must be an object with keys {keys}, got {show(given)}")
        elif given is item[name]:
            yield from found.check(given, f"{here}.{name}")
        else:
            yield from (dataclasses.replace(fault, path=f"{here}.{name}") for fault in found.check(given, here))


def _slicers(items: Any) -> Iterator[Problem]:
    path = f"data.{SLICERS}"
    if items is not None and not isinstance(items, list):
        yield Problem(path, f'must be a list such as [{{"sizes": [64, 64, 64]}}], got {alone(items)}')
        return
    for index, item in enumerate(items or ()):
        if isinstance(item, dict):
            yield from catalog.only("slicer").check(item, f"{path}[{index}]")
        else:
            yield Problem(f"{path}[{index}]", f'must be an object such as {{"sizes": [64, 64, 64]}}, got {show(item)}')


def trains(data: Mapping[str, Any]) -> bool:
    """Whether the section `data` has a training set: files, or examples to generate."""
    return bool(data.get("input_path") or data.get("num_examples"))


def tests(data: Mapping[str, Any]) -> bool:
    """Whether the section `data` has a test set."""
    return bool(data.get("test_input_path") or data.get("num_test_examples"))


def _optional(form: Form) -> Form:
    """A form that asks for nothing."""
    free = {key: dataclasses.replace(parameter, default=None) for key, parameter in form.parameters.items()}
    return dataclasses.replace(form, parameters=free)


def _merged(name: str, *forms: Form) -> Form:
    parameters = {key: parameter for form in forms for key, parameter in form.parameters.items()}
    return Form(name, "", parameters)


def _keys(form: Form, values: Values, path: str, also: tuple[str, ...] = (), called: str = "") -> Iterator[Problem]:
    """The form's own check, with better words for a key that is known in another place."""
    for problem in form.check(values, path, also=also):
        key = problem.key
        if not problem.mild:
            yield problem
        elif elsewhere := _home(key, path):
            yield dataclasses.replace(problem, message=f"`{key}`: unknown key here; {elsewhere}")
        elif called:
            yield dataclasses.replace(unknown_key(key, called, [*form.parameters, *also]), path=problem.path)
        else:
            yield problem


def _home(key: str, path: str) -> str:
    """Where a key that is misplaced belongs."""
    fixed = {
        "": TOP,
        "data": ("data", "predictions"),
        **{name: (name,) for name in ("checkpoints", "early_stopping", "multigrid", "engine")},
    }
    for section, groups in fixed.items():
        if section != path and any(key in catalog.only(group).parameters for group in groups):
            return f"it belongs to `{section}`" if section else "it belongs to the top level"
    chosen = {
        "data": "source",
        "loss": "loss",
        "optimizer": "optimizer",
        "optimizer.lr_scheduler": "scheduler",
        "network": "zoo",
        "task": "task",
    }
    for section, group in chosen.items():
        owners = [form.name for form in catalog.group(group).values() if key in form.parameters]
        if section == path and 0 < len(owners) <= _FEW:
            return f"`{key}` is for {', '.join(owners)}"
        if owners and path == "":
            return f"it belongs to `{section}`"
    if key in SECTIONS and path:
        return "it belongs to the top level"
    if key == "lr_scheduler":
        return "it belongs to `optimizer`"
    return ""


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


def _requirements(values: Values) -> Iterator[Problem]:
    """What only several keys together can get wrong."""
    data = values.get("data")
    if not isinstance(data, dict):
        return
    target = side_types(data)["target"]
    kind = target.lower() if isinstance(target, str) else None
    gan = is_gan(values)
    if not trains(data) and not tests(data) and not makes_samples(values):
        yield Problem("data", "needs `input_path` to train, `test_input_path` to evaluate or predict, or both")
    if trains(data):
        for section in ("loss", "optimizer"):
            if values.get(section) is None:
                remedy = f'"{section}": {{"{"function" if section == "loss" else "type"}": "..."}}'
                known = catalog.suggest(section, "").removeprefix("; known here: ")
                yield Problem("", f"`{section}` is missing; training needs {remedy} with one of {known}")
        if target is None and not gan:
            yield Problem("data", "`target_type` is missing; training needs targets, such as `labels`")
        elif target is not None and kind not in PATHLESS and not data.get("target_path"):
            yield Problem("data", f"`target_path` is missing; the targets of type `{target}` lie there")
    if kind == "labels":
        for key in ("target_path", "test_target_path"):
            if data.get(key):
                yield Problem(f"data.{key}", "labels are names of folders in the input's path; remove this key")
    has_test_targets = tests(data) and (kind in PATHLESS or data.get("test_target_path"))
    if has_test_targets and not gan and not trains(data) and not values.get("loss"):
        yield Problem(
            "", "`loss` is missing; it is needed to evaluate on targets (or leave the targets out to predict)"
        )
    for key in ("test_output_path", "hdf5_outfile"):
        if data.get(key) and not tests(data) and not gan:
            yield Problem(f"data.{key}", "there is no `test_input_path` whose predictions could be written")
    if data.get("hdf5_outfile") and trains(data) and values.get("early_stopping"):
        message = "is written in the last epoch, which is not known with `early_stopping`; predict in a run of its own"
        yield Problem("data.hdf5_outfile", message)
    if data.get("hdf5_outfile") and not data.get(SLICERS):
        yield Problem(
            "data.hdf5_outfile",
            "puts slices together, but there are no `slicers`; predictions of whole samples go to `test_output_path`",
        )
