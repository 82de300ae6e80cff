"""From the catalog to files that people and Hydra read: the component files of `conf/`, the reference of all keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from rmldnn.component import Form, show
from rmldnn.config import catalog, meanings
from rmldnn.config.keys import SECTIONS, TOP
from rmldnn.types import describe

GLOBAL = "_global_"


def conf_files() -> dict[str, str]:
    """The component files of `conf/`, text by relative path; `tools/sync_conf.py` writes them."""
    return dict(_files())


def _files() -> Iterator[tuple[str, str]]:
    for group in TOP:
        form = catalog.only(group)
        yield f"{group}/{form.name}.yaml", _text(form, {}, package=GLOBAL)
    for form in catalog.group("zoo").values():
        yield f"network/{form.name.lower()}.yaml", _text(form, {"type": form.name})
    for form in catalog.group("task").values():
        yield f"task/{form.name}.yaml", _text(form, {"type": form.name})
    for group in ("checkpoints", "predictions", "engine"):
        yield f"{group}/{group}.yaml", _text(catalog.only(group), {})
    yield "loader/data.yaml", _text(catalog.only("data"), {})
    for form in catalog.group("source").values():
        if form.name != "labels":
            yield f"data/{form.name}.yaml", _text(form, {"input_type": form.name})
        yield f"target/{form.name}.yaml", _text(form, {"target_type": form.name})
    for group, key in (("loss", "function"), ("optimizer", "type"), ("scheduler", "type")):
        for form in catalog.group(group).values():
            yield f"{group}/{form.name.lower()}.yaml", _text(form, {key: form.name})


def _text(form: Form, names: Mapping[str, Any], *, package: str = "") -> str:
    values = written(form, names)
    directive = f"# @package {package}\n" if package else ""
    body = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120) if values else "{}\n"
    return f"{directive}# Generated from {form.target} by tools/sync_conf.py\n{body}"


def written(form: Form, names: Mapping[str, Any]) -> dict[str, Any]:
    """What the file of a component in `conf/` holds: what names it, and its keys; `???` for those without a default."""
    return {**names, **dict.fromkeys(form.parameters, "???"), **form.defaults}


def as_yaml(values: Mapping[str, Any], width: int = 120) -> str:
    """A configuration as a file."""
    return str(yaml.safe_dump(dict(values), sort_keys=False, width=width, allow_unicode=True))


def reference() -> str:
    """The page of all keys, `docs/configuration.md`."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield "# Every key\n"
    yield "<!-- Generated from the signatures of the components by tools/sync_conf.py -->\n"
    yield "All keys stand in one object `neural_network`. Names of components are matched without regard to case.\n"
    yield "## Top level\n"
    yield from _table([*map(catalog.only, TOP)])
    *others, last = (f"`{section}`" for section in SECTIONS)
    yield f"The sections {', '.join(others)} and {last} have the keys below.\n"
    yield (
        '## `task`\n\nWhat the run is about: `"task": "dnn"`, or an object with a `type` and further keys; `--app` on '
        "the command line names it as well.\n"
    )
    yield from _components("task")
    yield "## `network`\n"
    yield (
        "Chooses a known network in place of `layers`: a configuration has exactly one of the two. `type` names the "
        'family, the other keys are those of the family: `"network": {"type": "unet", "backbone": "resnet34", '
        '"num_classes": 3}`, or `network=unet network.num_classes=3` on the command line.\n'
    )
    yield from _families()
    yield "## `data`\n"
    yield "`input_type` and `target_type` name the sources of inputs and targets; `type` sets both.\n"
    yield from _table([catalog.only("data"), catalog.only("predictions")])
    yield (
        "Keys of a source stand in `data` as well; with `input_` or `target_` before its name, a key is for that side "
        "only (`target_grayscale`).\n"
    )
    yield from _components("source")
    yield "### Transforms\n"
    yield (
        "`transforms` is a list of objects with one key each, for inputs and target images alike; `input_transforms` "
        "and `target_transforms` are for one side and come after it. A transform of a single key takes its value "
        'directly: `{"resize": [28, 28]}`.\n'
    )
    yield from _components("transform", level=4)
    yield "### Slicers\n"
    yield (
        "`slicers` is a list of objects, each a way to cut arrays (`numpy`, `hdf5`, `zarr`, `nifti`) into samples: "
        '`[{"name": "blocks", "sizes": [64, 64, 64], "strides": [32, 32, 32]}]`.\n'
    )
    yield from _table([catalog.only("slicer")])
    yield (
        "## `loss`\n\n`function` names the loss. A list of losses is their sum, each multiplied by its `weight` (or "
        '`factor`, where `weight` is a list of class weights): `[{"function": "Dice", "weight": 0.7}, {"function": '
        '"BCE", "weight": 0.3}]`.\n'
    )
    yield from _components("loss")
    yield (
        "## `optimizer`\n\n`type` names the optimizer; `lr_scheduler` is an object with the keys further below. "
        "`parameters` is a list of keys for some layers only, by a regular expression that their names match: "
        '`[{"layers": "encoder.*", "learning_rate": 1e-5}, {"kinds": ["bias", "norm"], "weight_decay": 0}]`; the first '
        "entry that takes a parameter counts. The task `gan` has an optimizer for each network: "
        '`{"generator": {"type": "Adam"}, "discriminator": {"type": "Adam"}}`.\n'
    )
    yield from _components("optimizer")
    yield (
        "## `optimizer.lr_scheduler`\n\n`type` names the schedule. In a list of schedules, each but the last lasts its "
        "`num_epochs`, and the next one starts from the learning rate then reached.\n"
    )
    yield from _components("scheduler")
    yield (
        "## `metrics`\n\nA list of what the evaluation measures besides loss and accuracy: names, or objects with a "
        '`name` and further keys: `["IoU", {"name": "F1", "average": "micro"}]`. They need `pip install '
        "'rmldnn[metrics]'`.\n"
    )
    yield from _components("metric")
    yield "## `early_stopping`\n"
    yield from _table([catalog.only("early_stopping")])
    yield (
        "## `multigrid`\n\nTrains at several resolutions, one after the other: "
        '`{"levels": [16, 32, 64], "epochs": [8, 4, 2]}`.\n'
    )
    yield from _table([catalog.only("multigrid")])
    yield (
        "## `tracking`\n\nWho else is told of a training, besides `history.csv` and `history.jsonl` in the run folder: "
        'a name, an object with a `type` and further keys, or a list of these: `"tracking": "TensorBoard"`.\n'
    )
    yield from _components("tracker")
    yield "## `checkpoints`\n"
    yield from _table([catalog.only("checkpoints")])
    yield "## `engine`\n"
    yield from _table([catalog.only("engine")])
    yield (
        "## `sweep`\n\nWhat `rmldnn config.json -m` tries ([sweeps](sweeps.md)). Besides these keys the section has "
        "parameters: keys of the configuration, with dots, each with a list of values or a range: "
        '`{"optimizer": ["Adam", "SGD"], "optimizer.learning_rate": {"log": [1e-5, 1e-2]}}`.\n'
    )
    yield from _table([catalog.only("sweep")])
    yield (
        "## `deepspeed`\n\nSettings of [DeepSpeed](https://www.deepspeed.ai/docs/config-json/), laid over those that "
        "follow from `engine`; `rmldnn config --deepspeed config.json` prints the result. What the configuration says "
        "in its own words (batches, precision, optimizer) is not said here again.\n"
    )


def _components(group: str, level: int = 3) -> Iterator[str]:
    for form in catalog.group(group).values():
        yield f"{'#' * level} {form.title}\n"
        yield f"{meanings.summary(form)}\n"
        if form.parameters:
            yield from _table([form])


def _families() -> Iterator[str]:
    """The families of the zoo: those with the same keys, of the same meanings, share one table."""
    rows: dict[tuple[str, ...], list[Form]] = {}
    for form in catalog.group("zoo").values():
        rows.setdefault(tuple(_table([form], meanings.described("zoo", form))), []).append(form)
    for table, forms in rows.items():
        yield f"### {', '.join(form.title for form in forms)}\n"
        for form in forms:
            bullet = f"- `{form.name}`: " if len(forms) > 1 else ""
            yield bullet + meanings.summary(form)
        yield ""
        yield from table


def _table(forms: Iterable[Form], doc: str = "") -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for form in forms:
        said = meanings.arguments(doc or form.doc)
        for parameter in form.parameters.values():
            default = "required" if parameter.required else f"`{show(parameter.default)}`"
            meaning = said.get(parameter.name, "")
            row = (f"`{parameter.name}`", describe(parameter.annotation), default, meaning)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""
