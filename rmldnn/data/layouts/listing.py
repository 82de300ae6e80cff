"""A tree of folders by names alone: what its files are by their suffixes, what it is by the words of its name."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from rmldnn.data.decode import SUFFIXES
from rmldnn.data.discovery import MADE
from rmldnn.disk import absent
from rmldnn.errors import DataError

Set: TypeAlias = Literal["train", "val", "test", ""]
"""Which set something belongs to; empty where nothing says it."""
Role: TypeAlias = Literal["input", "target", ""]

ARRAYS = ("nifti", "hdf5", "numpy", "zarr")
"""Kinds of files that hold arrays, as `data.type` names them."""
_KINDS = {
    **dict.fromkeys(SUFFIXES, "images"),
    **dict.fromkeys((".nii", ".nii.gz", ".hdr"), "nifti"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5", ".nc"), "hdf5"),
    **dict.fromkeys((".npy", ".npz"), "numpy"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    ".zarr": "zarr",
    ".txt": "txt",
    ".json": "json",
    ".names": "names",
}
_STORES = frozenset({".zarray", ".zgroup", "zarr.json"})
"""Files that make a folder a Zarr store."""
_WORDS_OF_SETS: dict[Set, str] = {
    "train": "train training tr trn",
    "val": "val valid validation dev",
    "test": "test testing ts tst",
}
_WORDS_OF_ROLES: dict[Role, str] = {
    "input": "image images img imgs input inputs scan scans picture pictures photo photos",
    "target": "mask masks label labels annotation annotations target targets gt truth groundtruth output outputs "
    "seg segs segmentation segmentations trimap trimaps",
}
_WEAK_WORDS: dict[Role, str] = {
    "input": "x in noisy low lr lowres source degraded",
    "target": "y out clean high hr highres sharp field fields facies",
}
"""Words that may as well be names of classes."""
_WORDS_OF_CLASSES = (
    "mask masks label labels annotation annotations gt truth groundtruth seg segs segmentation segmentations trimap "
    "trimaps facies"
)
"""Of targets that are classes of pixels."""
_SETS = {word: which for which, several in _WORDS_OF_SETS.items() for word in several.split()}
_ROLES, _WEAK = (
    {word: role for role, several in known.items() for word in several.split()}
    for known in (_WORDS_OF_ROLES, _WEAK_WORDS)
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_DEPTH = 8


@dataclass
class Entry:
    """A folder, or a file that holds arrays.

    Args:
        path: Where it is, as the user wrote it.
        folders: What lies in it, by name.
        files: Names of its files, by name; hidden ones are left out.
        kind: What it is by itself, if it is a file or a store: `numpy`.
    """

    path: str
    folders: Sequence[Entry] = ()
    files: Sequence[str] = field(default_factory=list)
    kind: str = ""

    @property
    def name(self) -> str:
        """The last part of the path; of `.` and `..` the name that the folder has."""
        name = os.path.basename(self.path)  # noqa: PTH119 - there may be millions
        return Path(self.path).resolve().name if name in ("", ".", "..") else name

    @property
    def named(self) -> str:
        """The path, with its name in it."""
        return self.path if self.path.endswith(self.name) else os.path.normpath(f"{self.path}/../{self.name}")

    @cached_property
    def own(self) -> Counter[str]:
        """How many files of each kind lie directly in it; itself, if it is one."""
        return Counter([self.kind]) if self.kind else Counter(filter(None, map(kind_of, self.files)))

    @cached_property
    def kinds(self) -> Counter[str]:
        """The same, with all that lies below."""
        return sum((child.kinds for child in self.folders), self.own.copy())

    def main(self, *wanted: str) -> str:
        """The kind of which there are most files, of those that are wanted, the first wins; empty if there are none."""
        return max(filter(self.kinds.get, wanted), key=lambda kind: self.kinds[kind], default="")

    def below(self) -> Iterator[Entry]:
        """Itself and all folders in it."""
        yield self
        for child in self.folders:
            yield from child.below()


def entry(path: str) -> Entry:
    """What there is at a path, and below it; links are followed.

    Raises:
        DataError: There is nothing, or it cannot be listed.
    """
    if not os.path.exists(path):  # noqa: PTH110
        raise DataError(absent(path))
    path = path.rstrip("/") or "/"  # names are what follows the last slash
    if not os.path.isdir(path):  # noqa: PTH112
        return Entry(path, kind=kind_of(path))
    return _folder(path, (os.path.realpath(path),))


def _folder(path: str, above: tuple[str, ...]) -> Entry:
    files: list[str] = []
    folders: list[Entry] = []
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda one: one.name)
    except OSError as error:
        raise DataError(f"cannot list `{path}`: {error.strerror}") from error
    if any(one.name in _STORES for one in entries):
        return Entry(path, kind="zarr")
    for one in entries:
        if one.name.startswith(".") or one.name == "__MACOSX":
            continue
        if _is_folder(one):
            real = os.path.realpath(one.path)
            if real not in above and len(above) < _DEPTH and not Path(one.path, MADE).exists():
                folders.append(_folder(one.path, (*above, real)))
        else:
            files.append(one.name)
    return Entry(path, folders, files)


def _is_folder(one: os.DirEntry[str]) -> bool:
    try:
        return one.is_dir()
    except OSError:  # a link to itself
        return False


def kind_of(name: str) -> str:
    """What a file is by its suffix; empty if that is unknown."""
    lower = name.lower()
    return "nifti" if lower.endswith(".nii.gz") else _KINDS.get(os.path.splitext(lower)[1], "")  # noqa: PTH122


def beginning(file: str, size: int) -> bytes:
    """The first bytes of a file; none of one that cannot be read, which is told when it is needed."""
    try:
        with Path(file).open("rb") as stream:
            return stream.read(size)
    except OSError:
        return b""


def stem(name: str) -> str:
    """The name of a file without its suffix."""
    return os.path.splitext(name[:-3] if name.lower().endswith(".nii.gz") else name)[0]  # noqa: PTH122


def words(name: str) -> list[str]:
    """The words of a name: `imagesTr`, `train_images2` and `IMAGES-TRAIN` have two each."""
    return [word.lower() for word in _WORD.findall(name)]


def set_of(name: str) -> Set:
    """Which set a name speaks of."""
    return next((_SETS[word] for word in words(name) if word in _SETS), "")


def speaks_of_classes(path: str) -> bool:
    """Whether the last names of a path say that classes of pixels lie there: `masks/train/`, not `clean/train/`."""
    return any(word in _WORDS_OF_CLASSES.split() for name in Path(path).parts[-2:] for word in words(name))


def role_of(name: str) -> tuple[Role, bool]:
    """Whether a name speaks of inputs or of targets (`image_masks` are masks), and whether only by a weak word."""
    for known, weak in ((_ROLES, False), (_WEAK, True)):
        found = {known[word] for word in words(name) if word in known}
        if found:
            return ("target" if "target" in found else "input"), weak
    return "", False
