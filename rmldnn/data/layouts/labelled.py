"""Classes and numbers of whole pictures: folders of classes, tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from rmldnn.data.layouts.layout import Layout, Pair
from rmldnn.data.layouts.listing import Entry, Set, kind_of, set_of, words
from rmldnn.data.layouts.pairs import TESTS, pictures_of


def folders(root: Entry) -> Iterator[Layout]:
    """Pictures in folders of their classes."""
    train = next((one for one in root.folders if set_of(one.name) == "train" and _classes(one)), None)
    if train is None and not any(set_of(one.name) for one in root.folders) and _classes(root):
        train = root
    if train is None:
        return
    test: Pair | None = None
    notes = []
    for which in TESTS:
        for one in root.folders:
            if set_of(one.name) == which and one.kinds["images"]:
                if test is None and _classes(one):
                    test = Pair(one.path)
                else:
                    why = "it is not needed to train" if _classes(one) else "it has no classes"
                    notes.append(f"{one.path} is left out: {why}")
    keys = tags(train, test)
    yield Layout("folders", "images", "labels", Pair(train.named if keys else train.path), test, keys, notes)


def _classes(folder: Entry) -> bool:
    """Whether all pictures lie in folders, and there are at least two of these."""
    return not folder.own["images"] and sum(child.kinds["images"] > 0 for child in folder.folders) > 1


def tags(train: Entry, test: Pair | None) -> dict[str, Any]:
    """Keys by which the class is the folder just below that of the set, where pictures lie deeper."""
    if all(not below.kinds["images"] for child in train.folders for below in child.folders):
        return {}
    tags = {"training_tag": train.name}
    return tags | ({"test_tag": os.path.basename(test.input)} if test else {})  # noqa: PTH119


def table(root: Entry) -> Iterator[Layout]:
    """Pictures, and the tables that name them."""
    tables: dict[Set, str] = {}
    for folder in root.below():
        for name in folder.files:
            if kind_of(name) == "csv" and "submission" not in words(name):
                tables.setdefault(set_of(name) or set_of(folder.name), f"{folder.path}/{name}")
    train: Set = "train" if "train" in tables else ""
    if train not in tables:
        return
    which: Set = "train" if pictures_of(root, "train") else train
    pictures = pictures_of(root, which) or pictures_of(root, "")
    if pictures is None:
        return
    test = None
    for one in TESTS:
        found = pictures_of(root, one)
        table = tables.get(one) or (tables[train] if not train else None)
        if test is None and found and found != pictures and table:
            test = Pair(found, table)
    yield Layout("table", "images", "csv", Pair(pictures, tables[train]), test)
