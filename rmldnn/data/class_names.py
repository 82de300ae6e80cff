"""Names of classes in files: a line for each, `names` of a YAML file, or the categories of COCO's annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rmldnn.component import show
from rmldnn.errors import DataError


def read(file: str, key: str) -> dict[str, int]:
    """The names of classes in the order of their indices, each with its number.

    Args:
        file: A text file with a name in each line, whose numbers are the indices; a YAML file (`.yaml`, `.yml`) whose
            `names` are a list, or have the indices before them, such as the `data.yaml` of data for YOLO; or a JSON
            file of annotations as COCO has it (`.json`), whose numbers are those of its categories.
        key: What names the file, for messages.

    Raises:
        DataError: The file cannot be read, or has no names, or one twice.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        content = json.loads(text) if Path(file).suffix.lower() == ".json" else None
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{key}: cannot read `{file}`: {reason}; name a text file in UTF-8") from None
    if content is not None:
        entries = content.get("categories") if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(one, dict) and {"id", "name"} <= {*one} for one in entries
        ):
            message = "has no `categories` with `id` and `name`; name a file of annotations of COCO, or a text file"
            raise DataError(f"{key}: `{file}` {message}")
        return categories(file, entries)
    is_yaml = Path(file).suffix.lower() in (".yaml", ".yml")
    lines = _in_yaml(text, file, key) if is_yaml else text.splitlines()
    names = [name for line in lines if (name := line.strip())]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(f"{key}: `{file}` has the name `{name}` twice; rename one of them")
    if not names:
        raise DataError(f"{key}: `{file}` is empty; write the name of each class in a line of its own")
    return {name: index for index, name in enumerate(names)}


def _in_yaml(text: str, file: str, key: str) -> list[str]:
    """What stands behind `names`, in the order of the indices.

    Raises:
        DataError: That is no list of texts, nor texts by index.
    """
    try:
        content = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - knows texts, lists and objects, and nothing else
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{key}: cannot read `{file}`: {' '.join(str(error).split())}; repair it") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        lacking = next((index for index in range(len(names)) if str(index) not in names), None)
        if lacking is not None:
            raise DataError(f"{key}: `{file}`: `names` has no index {lacking}; name each class, from 0 without gaps")
        names = [names[str(index)] for index in range(len(names))]
    if not names or not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        message = "has no `names` of classes; write them as names: [cat, dog], or with their indices from 0"
        raise DataError(f"{key}: `{file}` {message}")
    return names


def categories(file: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The names of COCO's categories in the order of their numbers, and these.

    Raises:
        DataError: There is none, one has no number, or two have the same name or number.
    """
    if not entries:
        raise DataError(f"{file}: `categories` is empty; name the classes there")
    for place, entry in enumerate(entries):
        number = entry["id"]
        if not isinstance(number, (int, float)) or isinstance(number, bool) or number != number // 1:
            raise DataError(f"{file}: categories[{place}]: `id` must be a whole number, got {show(number)}; repair it")
    ordered = sorted(entries, key=lambda entry: int(entry["id"]))
    names = [str(entry["name"]) for entry in ordered]
    if len(set(names)) < len(names):
        double = next(name for place, name in enumerate(names) if name in names[:place])
        raise DataError(f"{file}: there are two categories called `{double}`; rename one of them")
    numbers = [int(entry["id"]) for entry in ordered]
    if len(set(numbers)) < len(numbers):
        twice = next(number for place, number in enumerate(numbers) if number in numbers[:place])
        raise DataError(f"{file}: there are two categories with the `id` {twice}; give one of them another")
    return dict(zip(names, numbers, strict=True))
