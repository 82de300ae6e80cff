"""From the catalog to files that people and Hydra read: the component files of `conf/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from rmldnn.component import Form
from rmldnn.config import catalog

GLOBAL = "_global_"


def conf_files() -> dict[str, str]:
    """The component files of `conf/`, text by relative path; `tools/sync_conf.py` writes them."""
    return dict(_files())


def _files() -> Iterator[tuple[str, str]]:
    for group in ("job", "network"):
        form = catalog.only(group)
        yield f"{group}/{form.name}.yaml", _text(form, {}, package=GLOBAL)
    for group in ("checkpoints", "predictions"):
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
    values = dict(names)
    for parameter in form.parameters.values():
        values[parameter.name] = "???" if parameter.required else parameter.default
    directive = f"# @package {package}\n" if package else ""
    body = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120) if values else "{}\n"
    return f"{directive}# Generated from {form.target} by tools/sync_conf.py\n{body}"
