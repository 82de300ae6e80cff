"""What has to be known about data before it can be learned from, as the sources of a run tell it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmldnn.config.drafting.facts import Extent, Facts, Task
from rmldnn.data.layouts.layout import Layout, Pair
from rmldnn.data.layouts.listing import ARRAYS
from rmldnn.data.pipeline import Pipeline
from rmldnn.errors import DataError
from rmldnn.looking.arrays import ArrayFiles
from rmldnn.looking.measuring import Look, Sets, training_set
from rmldnn.looking.pictures import PictureFiles


def look(layout: Layout, task: Task | None = None, keys: Mapping[str, Any] | None = None) -> Look:
    """Opens the sets of a layout, and looks at some of their samples.

    A test set of pictures that a table does not serve is left out, as those of competitions are.

    Args:
        layout: What lies where.
        task: What is to be learned; told by the data if absent.
        keys: Keys of `data` that somebody gives, such as `columns`.

    Raises:
        ConfigError: The data is not for that task.
        DataError: It cannot be opened, or says nothing.
    """
    if layout.form == "table" and layout.test is not None and not layout.named:
        try:
            return _look(layout, task, keys)
        except DataError as error:
            seen = _look(replace(layout, test=None), task, keys)  # tells what is wrong with the training set
            note = f"{layout.test.input} is left out: {error}"
            return replace(seen, notes=[note, *seen.notes])
    return _look(layout, task, keys)


def _look(layout: Layout, task: Task | None, keys: Mapping[str, Any] | None) -> Look:
    named = {key: _written(path) if key == "class_names" else path for key, path in layout.keys.items()}
    base = {**_paths(layout), **named, **(keys or {})}
    if layout.input_type in ARRAYS:
        return ArrayFiles(layout, base, task).look()
    return PictureFiles(layout, base, task).look()


def _paths(layout: Layout) -> dict[str, Any]:
    types = {"input_type": layout.input_type, "target_type": layout.target_type}
    if layout.input_type == layout.target_type:
        types = {"type": layout.input_type}
    return {**types, **_of_sets(layout.train, layout.test)}


def _of_sets(train: Pair, test: Pair | None) -> dict[str, Any]:
    """The paths of both sets."""
    found = {"input_path": train.input, "target_path": train.target}
    if test is not None:
        found |= {"test_input_path": test.input, "test_target_path": test.target}
    return {key: _written(path) for key, path in found.items() if path}


def _written(path: str) -> str:
    """A path as configurations have it: `./data/train/`."""
    here = path if path.startswith(("/", "./", "../")) else f"./{path}"
    return f"{here.rstrip('/')}/" if Path(path).is_dir() or path.endswith("/") else here


def moved(facts: Facts, train: Pair, test: Pair, samples: int, tested: int) -> Facts:
    """The same facts of data that was divided into two sets."""
    former = _of_sets(train, test)
    types = {key: value for key, value in facts.data.items() if key.endswith("type")}
    rest = {key: value for key, value in facts.data.items() if key not in former}
    if "training_tag" in rest:
        rest |= {"training_tag": "train", "test_tag": "test"}
    return replace(facts, data={**types, **former, **rest}, samples=samples, tested=tested)


def boxes_of(seen: Look, size: Extent) -> Pipeline:
    """The boxes of the training set on pictures of a size."""
    opened = Sets()({**seen.facts.data, "transforms": [{"letterbox": list(size[::-1])}]})
    targets = training_set(opened).targets
    assert targets is not None  # noqa: S101 - detection has them
    return targets


@contextmanager
def quiet() -> Iterator[None]:
    """For what sources say of discovering files, which is told once the configuration is checked."""
    log = logging.getLogger("rmldnn")
    handlers, propagates = log.handlers, log.propagate
    log.handlers, log.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagates
