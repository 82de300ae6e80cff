"""Classes and numbers of whole pictures: folders of classes, tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from rmldnn.data.layouts.layout import Layout, Pair
from rmldnn.data.layouts.listing import Entry, Set, beginning, kind_of, role_of, set_of, stem, words
from rmldnn.data.layouts.pairs import TESTS, pictures_of

_START = 2**16
"""Bytes of a table that are looked at."""
_ROWS = 50


def labelled(root: Entry) -> Iterator[Layout]:
    """Both, the table first if it names the pictures: their folders may be parts of one heap."""
    tables, classes = [*table(root)], [*folders(root)]
    named = any(_names_pictures(one.train.target or "", root) for one in tables)
    yield from [*tables, *classes] if named else [*classes, *tables]


def folders(root: Entry) -> Iterator[Layout]:
    """Pictures in folders of their classes."""
    train = next((one for one in root.folders if set_of(one.name) == "train" and _classes(one)), None)
    if train is None and not _sets(root) and _classes(root):
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


def _sets(root: Entry) -> bool:
    """Whether folders are sets: a single one that is called `train`, and has none in it, is a class as `bus` is one."""
    sets = [one for one in root.folders if set_of(one.name) and one.kinds]
    sides = any(role and not weak for role, weak in (role_of(one.name) for one in root.folders))
    return len({set_of(one.name) for one in sets}) > 1 or any(one.folders or sides for one in sets)


def _classes(folder: Entry) -> bool:
    """Whether all pictures lie in folders, and there are at least two of these, which are no parts of one heap."""
    names = [child.name for child in folder.folders if child.kinds["images"]]
    parts = len({(*words(name),) for name in names}) == 1 and bool(role_of(names[0])[0] or set_of(names[0]))
    return not folder.own["images"] and len(names) > 1 and not parts


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
    if pictures is None and not _sets(root) and _names_pictures(tables[train], root):
        pictures = root.path
    if pictures is None:
        return
    test = None
    for one in TESTS:
        found = pictures_of(root, one)
        table = tables.get(one) or (tables[train] if not train else None)
        if test is None and found and found != pictures and table:
            test = Pair(found, table)
    yield Layout("table", "images", "csv", Pair(pictures, tables[train]), test)


def _names_pictures(table: str, root: Entry) -> bool:
    """Whether the first cells of rows name pictures of a folder, as far as a look at some of them tells."""
    rows = beginning(table, _START).decode(errors="replace").splitlines()[1:_ROWS]
    cells = [re.split("[,;\t]", row, maxsplit=1)[0].strip('" ') for row in rows]
    known = {
        one
        for folder in root.below()
        for name in folder.files
        if kind_of(name) == "images"
        for one in (name, stem(name))
    }
    named = [cell for cell in cells if cell.replace("\\", "/").rpartition("/")[2] in known]
    return len({*cells}) == len(cells) < 2 * len(named)
