"""What a folder may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rmldnn.data.layouts.listing import ARRAYS

Form: TypeAlias = Literal["folders", "table", "pairs", "boxes"]
"""How targets are given: by folders of classes, by a table, as files beside the inputs, as boxes."""


@dataclass(frozen=True)
class Pair:
    """Where one set lies.

    Args:
        input: The path of the inputs.
        target: The path of the targets; None where the class is the name of the folder.
    """

    input: str
    target: str | None = None


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Args:
        form: How targets are given.
        input_type: The type of the inputs, as `data.input_type` has it.
        target_type: That of the targets; of pictures it may be `masks` or `images`, which only a look into them tells.
        train: The training set.
        test: The test set, if there is one.
        keys: Further keys of `data`.
        notes: What was passed over.
        doubtful: How many folders lie beside each other where its words may as well be names of classes; else 0.
        named: Whether somebody named the paths, none of which is then left out.
    """

    form: Form
    input_type: str
    target_type: str
    train: Pair
    test: Pair | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    doubtful: int = 0
    named: bool = False


def forms(kind: str) -> tuple[Any, str]:
    """How targets of a kind of files are given, and their type."""
    known = {"csv": ("table", "csv"), "json": ("boxes", "coco"), "txt": ("boxes", "yolo"), "images": ("pairs", "masks")}
    return known.get(kind) or (("pairs", kind) if kind in ARRAYS else ("", ""))
