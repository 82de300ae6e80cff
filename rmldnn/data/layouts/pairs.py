"""Targets as files beside the inputs: told by the words of folders and files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rmldnn.data.class_names import read
from rmldnn.data.layouts.layout import Layout, Pair, forms
from rmldnn.data.layouts.listing import ARRAYS, Entry, Role, Set, kind_of, role_of, set_of, stem
from rmldnn.errors import DataError

Roles: TypeAlias = "defaultdict[tuple[Set, str], list[Entry]]"
TESTS: Sequence[Set] = ("val", "test")


def pairs(root: Entry) -> Iterator[Layout]:
    """Inputs and targets in folders or arrays of such names."""
    roles, weak = roles_in(root)
    which: Set = "train" if roles["train", "target"] else ""
    targets, inputs = roles[which, "target"], roles[which, "input"] or (roles[which, "plain"] if which else [])
    for one in inputs:
        for other in targets:
            kind = one.main("images", *ARRAYS)
            theirs = other.main("images", *ARRAYS, *(["txt"] if kind == "images" else []))
            form, target_type = forms(theirs)
            if kind and form and one is not other and not _inside(one, other):
                test, notes = _test(roles, kind, theirs)
                named: dict[str, Any] = names_of_classes(other, root) if theirs == "txt" else {}
                train = Pair(_narrow(one, kind), _narrow(other, theirs))
                doubtful = max(weak.get(side.path, 0) for side in (one, other))
                yield Layout(form, kind, target_type, train, test, named, notes, doubtful)


def roles_in(root: Entry) -> tuple[Roles, Mapping[str, int]]:
    """Which set and which side of it the folders and arrays are, by their words.

    Of those with weak words, by their paths, it is told as well how many lie beside each other.

    A folder that names its set, but no side of it, and holds files, is `plain`.
    """
    found: Roles = defaultdict(list)
    doubtful: dict[str, int] = {}

    def visit(folder: Entry, which: Set, role: Role) -> None:
        children = [child for child in (*folder.folders, *_arrays(folder)) if child.kinds]
        for child in children:
            here, weak = role_of(stem(child.name) if child.kind else child.name)
            now, side = set_of(child.name) or which, here or role
            if side and (now or not any(set_of(one.name) for one in child.folders)):
                if weak:
                    doubtful[child.path] = len(children)
                found[now, side].append(child)
            elif child.folders or side:
                if set(child.own) & {"images"} and now and not side:
                    found[now, "plain"].append(child)
                visit(child, now, side)
            elif now and set(child.own) & {"images"}:
                found[now, "plain"].append(child)

    visit(root, "", "")
    return found, doubtful


def _arrays(folder: Entry) -> list[Entry]:
    """Files of arrays that name a side, if no two of them name the same: else they are samples."""
    named: defaultdict[tuple[Set, Role], list[Entry]] = defaultdict(list)
    for name in folder.files:
        if kind_of(name) in ARRAYS:
            named[set_of(name), role_of(stem(name))[0]].append(Entry(f"{folder.path}/{name}", kind=kind_of(name)))
    alone = [entries[0] for (_, role), entries in named.items() if role and len(entries) == 1]
    return alone if len(alone) == sum(len(entries) for (_, role), entries in named.items() if role) else []


def _inside(folder: Entry, other: Entry) -> bool:
    return other.path.startswith(f"{folder.path}/")


def _narrow(folder: Entry, kind: str) -> str:
    """The folder that all files of a kind lie in, below one that was named."""
    while not folder.own[kind]:
        below = [child for child in folder.folders if child.kinds[kind]]
        if len(below) != 1 or below[0].kind:
            break
        folder = below[0]
    return folder.path


def _test(roles: Roles, kind: str, theirs: str) -> tuple[Pair | None, list[str]]:
    """The test set of pairs: that of a validation before a test, which is then left for the end."""
    found: Pair | None = None
    notes = []
    for which in TESTS:
        inputs = [one for one in roles[which, "input"] or roles[which, "plain"] if one.kinds[kind]]
        targets = [one for one in roles[which, "target"] if one.kinds[theirs]]
        if found is None and inputs and targets:
            found = Pair(_narrow(inputs[0], kind), _narrow(targets[0], theirs))
        elif inputs:
            why = "it is not needed to train" if targets else "it has no targets"
            notes.append(f"{inputs[0].path} is left out: {why}")
    return found, notes


_NAMES = ("classes.txt", "obj.names", "labels.txt", "class_names.txt", "names.txt")
"""Files with the name of a class in each line."""
_LARGEST = 2**16
"""Bytes of a file for YOLO; a larger one is something else."""


def names_of_classes(targets: Entry, root: Entry) -> dict[str, Any]:
    """The file that names the classes of boxes, if there is one."""
    for folder in (*root.below(), *targets.below()):
        for name in folder.files:
            if name.lower() in _NAMES or kind_of(name) == "names":
                return {"class_names": f"{folder.path}/{name}"}
    files = [Path(folder.path, name) for folder in root.below() for name in folder.files]
    files = [file for file in files if file.suffix.lower() in (".yaml", ".yml")]
    named = (str(file) for file in sorted(files, key=lambda file: file.stem != "data") if _has_names(str(file)))
    first = next(named, None)
    return {"class_names": first} if first else {}


def _has_names(file: str) -> bool:
    """Whether a YAML file names classes, as that for YOLO does."""
    try:
        return Path(file).stat().st_size < _LARGEST and bool(read(file, ""))
    except (OSError, DataError):
        return False


def _together(root: Entry, parts: Sequence[Entry]) -> str | None:
    """The folder that holds these and no other pictures."""
    count = sum(one.kinds["images"] for one in parts)
    holding = (
        one.path
        for one in root.below()
        if one.kinds["images"] == count and all(one is part or _inside(one, part) for part in parts)
    )
    return next(holding, None) if len(parts) > 1 else parts[0].path


def pictures_of(root: Entry, which: Set) -> str | None:
    """The folder of the pictures of a set: its own, else the one of all pictures; none if they lie in several."""
    roles, _ = roles_in(root)
    for several in (roles[which, "input"], roles[which, "plain"], roles["", "input"]):
        parts = [one for one in several if one.kinds["images"]]
        if parts:
            return _together(root, parts)
    for one in root.folders:
        if which and set_of(one.name) == which and one.kinds["images"]:
            return one.path
    if which:
        return None
    below = [one for one in root.folders if one.kinds["images"]]
    return root.path if root.own["images"] else below[0].path if len(below) == 1 else None
