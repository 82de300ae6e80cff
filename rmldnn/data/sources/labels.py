"""Classes: the names of the folders that inputs lie in."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.files import fingerprint
from rmldnn.data.source import Indices, Meaning, Side, Source
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")


class Labels(Source):
    """The class index of every input; see `Source`.

    Args:
        inputs: The inputs that the classes belong to.
        class_names: The class of every input.
        classes: All classes; their order gives the indices.
    """

    kind = "labels"
    noun = "labels"
    meaning: Meaning = "classes"

    def __init__(self, inputs: Source, class_names: Sequence[str], classes: Mapping[str, int]) -> None:
        self.names = inputs.names
        self.classes = classes
        self.indices = np.array([classes[name] for name in class_names], dtype=np.int64)
        self._inputs = inputs

    def take(self, indices: Indices) -> NDArray[Any]:
        """Class indices, shape (n,), int64."""
        return self.indices[indices]

    def locate(self, index: int) -> str:
        """The path of the input."""
        return self._inputs.locate(index)

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Nothing is read."""
        return 0

    def fingerprint(self) -> str:
        """Of the class of every input."""
        return fingerprint(self.kind, self.classes, self.indices.tolist())


@component("labels")
def labels(side: Side, *, training_tag: str | None = None, test_tag: str | None = None) -> Labels:
    """Takes the class of every input from its path.

    The class is the name of the folder that the input lies in. With a tag it is the part of the path that follows the
    tag: `training` makes `./mnist/training/7/a.jpg` a `7`, however deep the file lies. Indices count the class names
    of the training set in alphabetical order, from 0; without a training set, those of the test set.

    Args:
        side: The targets to open; its `inputs` give the paths.
        training_tag: The folder below which the folders of the classes lie, for the training set.
        test_tag: The same for the test set.

    Returns:
        Class indices, with the mapping from names in `classes`.

    Raises:
        DataError: An input has no class, or one that the training set does not know.
    """
    if side.inputs is None:
        raise ConfigError(Problem(f"data.{side.role}_type", "`labels` are targets, not inputs; use `images` here"))
    _log.info(f"Discovering {side.words} labels...")
    tag = training_tag if side.which == "train" else test_tag
    known = side.training.classes if isinstance(side.training, Labels) else None
    names = _class_names(side.inputs, side, tag, alone=known is None)
    found = sorted(set(names))
    if known is not None:
        for name in found:
            if name not in known:
                raise DataError(
                    f"class `{name}` is in the test set but not in the training set (first seen in "
                    f"{side.inputs.locate(names.index(name))}); classes are the names of folders, which must agree "
                    f"between `input_path` and `test_input_path`. The training set has {_some(known)}"
                )
    _log.info(f"Number of class labels: {len(found)}")
    return Labels(side.inputs, names, known or {name: index for index, name in enumerate(found)})


def _class_names(inputs: Source, side: Side, tag: str | None, *, alone: bool) -> list[str]:
    """The class of every input; each folder is looked at once, as there may be millions of inputs."""
    known: dict[str, str] = {}
    names = []
    for index in range(len(inputs.names)):
        folder = inputs.locate(index).rpartition("/")[0]
        name = known.get(folder)
        if name is None:
            name = known[folder] = (
                _folder(inputs, index, side, alone=alone)
                if tag is None
                else _below_tag(_file(inputs, index)[0], tag, side)
            )
        names.append(name)
    return names


def _folder(inputs: Source, index: int, side: Side, *, alone: bool) -> str:
    """The folder of an input. That of the set itself is a class only where another set says which classes there are."""
    path, name = _file(inputs, index)
    if alone and "/" not in name:
        raise DataError(
            f"{path}: has no class, as it lies directly in the folder of the {side.words} set; put every class into "
            f"a folder of its own, as in {path.parent}/<class>/{path.name}, or set `{_key(side)}` to the folder above "
            f"the classes"
        )
    return path.parent.name


def _file(inputs: Source, index: int) -> tuple[PurePosixPath, str]:
    """The path of the file that an input is, or that it lies in, and its part below the configured folder."""
    path, name = PurePosixPath(inputs.locate(index)), inputs.names[index]
    while _is_file(path.parent):
        path, name = path.parent, name.rpartition("/")[0]
    return path, name


@functools.lru_cache(maxsize=1024)
def _is_file(path: PurePosixPath) -> bool:
    return Path(path).is_file()


def _below_tag(path: PurePosixPath, tag: str, side: Side) -> str:
    """The part of a path that follows the last part equal to the tag, if it is a folder."""
    folders = path.parts[:-1]
    places = [place for place, part in enumerate(folders[:-1]) if part == tag]
    if not places:
        raise DataError(
            f"{path}: has no class, as no folder follows `{tag}` in this path; set `{_key(side)}` to the folder that "
            f"holds the folders of the classes, or leave it out if every file lies in the folder of its class"
        )
    return folders[places[-1] + 1]


def _key(side: Side) -> str:
    return "training_tag" if side.which == "train" else "test_tag"


def _some(classes: Mapping[str, int], limit: int = 10) -> str:
    shown = ", ".join(f"`{name}`" for name in list(classes)[:limit])
    return shown if len(classes) <= limit else f"{shown} and {len(classes) - limit} more"
