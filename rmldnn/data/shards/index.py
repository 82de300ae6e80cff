"""The index of a shard: where in the tar file every member of every sample lies.

It stands beside the shard, `train-000000.idx.json` beside `train-000000.tar`, and is held in columns, so that those of
a hundred thousand samples load in a fraction of a second.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rmldnn.disk import replacing
from rmldnn.errors import DataError

FORMAT = "rmldnn-shard-1"
SUFFIX = ".idx.json"
CLASS = "cls"
"""The member that holds a class as text."""
MEMBERS_LISTED = 12
"""Members that a message lists."""

_BLOCK = 512
_LONGEST_CLASS = 1024
"""Bytes of a class, which is an index or a name."""


@dataclass(frozen=True)
class Column:
    """One member of all samples: `jpg`.

    Args:
        offsets: Where its bytes begin in the tar file, -1 for samples without it.
        sizes: How many there are.
    """

    offsets: Sequence[int]
    sizes: Sequence[int]


@dataclass(frozen=True)
class Index:
    """What a shard holds.

    Args:
        tar_bytes: Size of the tar file.
        keys: Names of the samples, without the suffixes of their members.
        columns: Its members, by suffix.
        classes: The content of `cls` members.
        sha256: Of the tar file; None where the index was made later.
        tar_mtime_ns: When the tar file was changed last; None where that says nothing, as the file was written with
            its index.
        sides: What `input` and `target` are, as `rmldnn shard` notes it: see `Described`.
    """

    tar_bytes: int
    keys: Sequence[str]
    columns: Mapping[str, Column]
    classes: Sequence[str] = ()
    sha256: str | None = None
    tar_mtime_ns: int | None = None
    sides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Writes the index, entirely or not at all."""
        with replacing(file) as partial:
            partial.write_text(json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":")), encoding="utf-8")

    def fits(self, tar: os.stat_result) -> bool:
        """Whether the index is that of the tar file as it is now."""
        return self.tar_bytes == tar.st_size and self.tar_mtime_ns in (None, tar.st_mtime_ns)


@dataclass(frozen=True)
class Described:
    """What one side of the samples is, as it was before it went into shards.

    Args:
        members: Suffixes of the members that hold it; a sample has one of them.
        meaning: Of its numbers; see `Source`.
        kind: `images` and `masks` are decoded as these sources do, `arrays` have their channels last, `labels` are
            the content of `cls`.
        keys: What the user had set for that source.
        classes: Names of the classes in the order of their indices.
    """

    members: Sequence[str]
    meaning: str
    kind: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()


def beside(tar: str) -> str:
    """The path of the index of a tar file."""
    return f"{tar.removesuffix('.tar')}{SUFFIX}"


def load(file: Path) -> Index | None:
    """Reads an index; None if there is none, or none that can be understood."""
    try:
        content = json.loads(file.read_bytes())
        if content.pop("format") != FORMAT:
            return None
        columns = {suffix: Column(**column) for suffix, column in content.pop("columns").items()}
        index = Index(columns=columns, **content)
        whole = all(len(column.offsets) == len(column.sizes) == len(index.keys) for column in columns.values())
        inside = all(_inside(column, index.tar_bytes) for column in columns.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return index if whole and inside else None


def _inside(column: Column, size: int) -> bool:
    places = zip(column.offsets, column.sizes, strict=True)
    return all(offset == -1 or 0 <= offset <= offset + length <= size for offset, length in places)


def scan(tar: str, name: str = "") -> Index:
    """Makes the index of a tar file by reading its headers.

    Args:
        tar: The file.
        name: How messages call it; its path by default.

    Raises:
        DataError: The file is cut short, compressed, no tar file, holds members that a shard must not have, or no
            samples.
    """
    name = name or tar
    try:
        state = os.stat(tar)  # noqa: PTH116
        with Path(tar).open("rb") as stream:
            return _scanned(stream, name, state)
    except OSError as error:
        raise DataError(f"{name}: cannot read this shard: {error.strerror or error}") from None


def _scanned(stream: Any, name: str, state: os.stat_result) -> Index:
    keys: list[str] = []
    found: list[dict[str, tuple[int, int]]] = []
    classes: list[str] = []
    for member in _members(stream, name, state.st_size):
        check_member(member, name)
        if not member.isfile():
            continue
        key, suffix = split(member.name)
        if not suffix:
            continue
        if not keys or keys[-1] != key:
            keys.append(key)
            found.append({})
        if suffix in found[-1]:
            raise DataError(f"{name}: sample `{key}` has two members `{suffix}`; name samples differently")
        found[-1][suffix] = (member.offset_data, member.size)
        if suffix == CLASS:
            classes += [""] * (len(keys) - 1 - len(classes)) + [_class(stream, member, name)]
    if not keys:
        raise DataError(f"{name}: holds no samples; members must be called `key.suffix`, such as `000017.jpg`")
    columns = {}
    for suffix in sorted(set().union(*found)):
        places = [sample.get(suffix, (-1, 0)) for sample in found]
        columns[suffix] = Column([offset for offset, _ in places], [size for _, size in places])
    if classes:
        classes += [""] * (len(keys) - len(classes))
    return Index(state.st_size, keys, columns, classes, tar_mtime_ns=state.st_mtime_ns)


def _members(stream: Any, name: str, size: int) -> Any:
    """The members of a tar file in their order.

    Raises:
        DataError: It ends where it should not.
    """
    whole, last = 0, ""
    start = stream.read(6)
    if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start == b"\xfd7zXZ\x00" or start[:4] == b"\x28\xb5\x2f\xfd":
        raise DataError(f"{name}: is compressed, so that samples cannot be read from its middle; unpack it: gunzip")
    stream.seek(0)
    try:
        archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - the stream is closed by whoever opened it
    except (tarfile.TarError, EOFError):
        if size % _BLOCK == 0 and size and not any(start):
            raise DataError(f"{name}: holds no samples; remove it") from None
        fault = "the file is empty" if not size else "it is cut short in its first header, or no tar file"
        raise DataError(f"{name}: cannot read this shard: {fault}; fetch it again or remove it") from None
    while True:
        try:
            member = archive.next()
        except (tarfile.TarError, EOFError, ValueError):
            member = None
        archive.members = []  # type: ignore[attr-defined] # which tarfile would keep all of
        if member is None:
            break
        if member.offset_data + member.size > size:
            raise _cut(name, size, whole, last)
        whole, last = member.offset_data + -(-member.size // _BLOCK) * _BLOCK, member.name
        yield member
    stream.seek(whole)
    block = stream.read(_BLOCK)
    if len(block) < _BLOCK:
        raise _cut(name, size, whole, last)
    if any(block):
        raise DataError(
            f"{name}: cannot read this shard: it is damaged at byte {whole}, behind `{last}`; fetch it again or "
            "remove it"
        )


def _cut(name: str, size: int, whole: int, last: str) -> DataError:
    sample = f"the last whole member is `{last}`, which ends at byte {whole}" if last else "no member is whole"
    return DataError(
        f"{name}: cannot read this shard: it is cut short, it ends at byte {size}, and {sample}; fetch it again or "
        "write it anew"
    )


def check_member(member: tarfile.TarInfo, name: str) -> None:
    """Looks whether a member is what a shard may hold.

    Raises:
        DataError: It is not.
    """
    path = PurePosixPath(member.name)
    fault = ""
    if path.is_absolute() or "\\" in member.name or "\0" in member.name:
        fault = "its name is not a path below a folder"
    elif ".." in path.parts:
        fault = "its name leads out of the folder"
    elif member.issym() or member.islnk():
        fault = f"it is a link to `{member.linkname}`"
    elif member.issparse():
        fault = "it is a sparse file"
    elif not member.isfile() and not member.isdir():
        fault = "it is a device or a pipe"
    if fault:
        raise DataError(f"{name}: member `{member.name}` is refused: {fault}; shards hold plain files only")


def split(member: str) -> tuple[str, str]:
    """The key of the sample and the suffix of a member: `a/1.seg.png` is `seg.png` of `a/1`.

    What has no suffix, or nothing in front of it, belongs to no sample.
    """
    member = member.removeprefix("./")
    folder, slash, base = member.rpartition("/")
    stem, _, suffix = base.partition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem and suffix else ("", "")


def _class(stream: Any, member: tarfile.TarInfo, name: str) -> str:
    if member.size > _LONGEST_CLASS:
        raise DataError(f"{name}/{member.name}: is too large for a class; it must be an index or a name")
    stream.seek(member.offset_data)
    try:
        text: str = stream.read(member.size).decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise DataError(f"{name}/{member.name}: holds no class; it must be an index or a name, as text")
    return text
