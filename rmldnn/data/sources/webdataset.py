"""Shards: tar files of samples in the format of webdataset."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.arrays import ChannelAxis, channels_last, together
from rmldnn.data.decode import SUFFIXES, decode
from rmldnn.data.files import fingerprint
from rmldnn.data.holding import hold
from rmldnn.data.http import SCHEMES
from rmldnn.data.memory import assembled
from rmldnn.data.shards import decoding
from rmldnn.data.shards.index import CLASS, MEMBERS_LISTED, Described
from rmldnn.data.shards.paths import expand
from rmldnn.data.shards.reading import Reader, Shard
from rmldnn.data.shards.remote import Cache, bytes_of
from rmldnn.data.source import Indices, Meaning, Samples, Side, Source
from rmldnn.data.sources.masks import Masks
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.types import Count, Index, Path

_log = logging.getLogger("rmldnn")

_ARRAY = "npy"
_PICTURES = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES)
_TARGET = re.compile(r"target|mask|seg|label")
"""What a member that holds targets has in its suffix, if nobody says which it is."""
_MASK = re.compile(r"mask|seg|label")
_DESCRIPTORS = tuple(str(number) for number in range(2**16))


class Shards(Source):
    """One member of the samples of all shards; see `Source`.

    Args:
        shards: The shards in their order.
        side: What was opened.
        described: What the member is.
        max_pixels: Larger pictures are refused.
    """

    kind = "webdataset"
    noun = "samples"

    def __init__(self, shards: Sequence[Shard], side: Side, described: Described, max_pixels: int) -> None:
        self.shards = shards
        self.described = described
        self.max_pixels = max_pixels
        self.blocks = [len(shard.index.keys) for shard in shards]
        self.names = _names(shards)
        self.classes: Mapping[str, int] = {}
        self._ends = np.cumsum(self.blocks)
        self._reader = Reader(list(shards))
        self._suffixes = list(described.members)
        self._are_arrays = [suffix.rpartition(".")[2] == _ARRAY for suffix in self._suffixes]
        red_first = described.keys.get("color_order") == "rgb"
        self._colours = "GRAY" if described.keys.get("grayscale") else "RGB" if red_first else "BGR"
        self._which, self._offsets, self._sizes = _places(shards, self._suffixes)
        missing = np.flatnonzero(self._which < 0)
        if missing.size:
            more = f", nor have {missing.size - 1} more samples" if missing.size > 1 else ""
            raise DataError(
                f"{self.locate(int(missing[0]))}: has no member {_or(self._suffixes)}{more}; every sample needs one, "
                f"so write the shards anew, or name another one by `{side.role}_member`"
            )
        axis = described.keys.get("channel_axis", "last")
        self._automatic = axis == "auto"
        self._axis: ChannelAxis = "first" if axis == "auto" else axis
        self._masks = Masks(f"{decoding.FILES}/", _DESCRIPTORS, described.keys.get("values"), max_pixels)
        self._labels: NDArray[np.int64] | None = None
        if described.kind == "labels":
            self._labels, self.classes = _labels(self, side)
        self.meaning: Meaning = self._meaning(side)

    def take(self, indices: Indices) -> Samples:
        """Reads samples in the order in which they lie in the shards."""
        if self._labels is not None:
            return self._labels[indices]
        places = np.argsort(indices, kind="stable")  # samples are numbered as they lie
        wanted = indices[places]
        shards = np.searchsorted(self._ends, wanted, side="right")
        members = zip(
            places.tolist(),
            wanted.tolist(),
            shards.tolist(),
            self._which[wanted].tolist(),
            self._offsets[wanted].tolist(),
            self._sizes[wanted].tolist(),
            strict=True,
        )
        found = {place: member for place, *member in members}

        def read(place: int, into: NDArray[Any] | None) -> NDArray[Any]:
            index, shard, which, offset, size = found[place]
            hold(index)
            return self._decode(self._reader.read(shard, offset, size), which, index, into)

        return assembled(list(found), read)

    def locate(self, index: int) -> str:
        """The shard, and the member of the sample."""
        shard, row = self._place(index)
        which = int(self._which[index])
        suffix = f".{self._suffixes[which]}" if which >= 0 else ""
        return f"{self.shards[shard].name}/{self.shards[shard].index.keys[row]}{suffix}"

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Bytes of the members."""
        return 0 if self._labels is not None else int(self._sizes.sum())

    def fingerprint(self) -> str:
        """Of the shards and what is taken from them; of those on servers, what their indexes say."""
        states = [
            (shard.name, shard.index.tar_bytes, shard.index.sha256, shard.index.tar_mtime_ns) for shard in self.shards
        ]
        local = (shard.path for shard in self.shards if not shard.remote)
        return fingerprint(self.kind, self.meaning, self.described, self.classes, self._axis, states, files=local)

    def _place(self, index: int) -> tuple[int, int]:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        return shard, index - int(self._ends[shard] - self.blocks[shard])

    def _decode(self, data: bytes, which: int, index: int, into: NDArray[Any] | None) -> NDArray[Any]:
        if self._are_arrays[which]:
            return channels_last(decoding.array(data, self.locate(index)), self._axis)
        if self.described.kind == "masks":
            return decoding.through_file(data, self.locate(index), self._mask)
        keys = self.described.keys
        if keys.get("bands") in (None, "auto"):
            pixels = decoding.jpeg(data, self._colours, self.max_pixels, into)
            if pixels is not None:
                return pixels
        return decoding.through_file(
            data,
            self.locate(index),
            lambda file: decode(
                file,
                grayscale=bool(keys.get("grayscale")),
                rgb=keys.get("color_order") == "rgb",
                bands=keys.get("bands") or "auto",
                max_pixels=self.max_pixels,
            ),
        )

    def _mask(self, file: str) -> NDArray[Any]:
        return self._masks.take(np.array([int(os.path.basename(file))]))[0]  # noqa: PTH119 - a number

    def _meaning(self, side: Side) -> Meaning:
        meaning = self.described.meaning
        if meaning in ("pixels", "classes", "values"):
            return meaning  # type: ignore[return-value]
        if side.inputs is None:
            return "values"
        # an array from elsewhere: whole numbers without channels are classes where they are targets
        first = np.asarray(self.take(np.zeros(1, np.int64))[0])
        whole = first.dtype.kind in "biu"
        space = np.ndim(side.inputs.take(np.zeros(1, np.int64))[0]) - 1
        if whole and self._automatic and first.ndim == space:
            self._axis = "none"
        return "classes" if whole and self._axis == "none" else "values"


@component("webdataset")
def webdataset(
    side: Side,
    *,
    member: str | None = None,
    pictures: Literal["images", "masks"] | None = None,
    grayscale: bool | None = None,
    color_order: Literal["bgr", "rgb"] | None = None,
    bands: Literal["auto", "all"] | list[Count] | None = None,
    values: list[Index] | None = None,
    channel_axis: Literal["auto", "first", "last", "none"] = "auto",
    classes: list[str] | None = None,
    max_pixels: Count = 67108864,
    cache_path: Path | None = None,
    cache_limit: str | None = None,
) -> Shards | None:
    """Opens shards: tar files in the format of webdataset, as `rmldnn shard` and others write them.

    The path is a pattern such as `train-{000000..000127}.tar`, a glob, a folder, one file, or several of these with
    `::` between them; it may begin with http:// or https://. Where the shards of a folder are called `train...` and
    `test...`, each set takes its own. Members of a sample have one name and different suffixes: `17.jpg` and `17.cls`.
    Inputs and targets lie in the same shards, unless targets have a path of their own. Beside every shard stands an
    index, such as `train-000000.idx.json`; it is made when it is missing. Shards that `rmldnn shard` wrote say
    themselves what they hold, and need no further keys.

    Args:
        side: What to open.
        member: The suffix of the member that holds the samples, such as `jpg`, or several, such as `jpg;png`, of which
            every sample has one. Without it: for inputs the first picture or array; for targets `cls`, or else the
            picture or array with `target`, `mask`, `seg` or `label` in its suffix.
        pictures: Whether pictures are `images` or `masks` of class indices; target pictures with `mask`, `seg` or
            `label` in their suffix are masks.
        grayscale: Reads one channel instead of three.
        color_order: Order of the three channels of pictures; blue first by default.
        bands: Channels of pictures that have others than three colours, as for `images`.
        values: The stored value of each class of masks, as for `masks`.
        channel_axis: Where arrays have their channels; first, but nowhere in class indices, by default.
        classes: Names of the classes in the order of their indices, where `cls` members hold names; else in
            alphabetical order.
        max_pixels: Larger pictures are an error, told before they are decoded; 8192 x 8192 by default.
        cache_path: The folder that keeps what is fetched from servers; `~/.cache/rmldnn/shards` by default. What is
            there is not asked for again.
        cache_limit: Size of the tar files in it, such as `200GB`; those used longest ago are removed. No limit by
            default.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: The path is a command or of an unknown scheme.
        DataError: A shard is missing, damaged or refused, or has no such member.
    """
    limit = None if cache_limit is None else bytes_of(cache_limit, "data.cache_limit")
    inputs = side.inputs
    shared = side.path is None and isinstance(inputs, Shards)
    if isinstance(inputs, Shards) and shared:
        shards: Sequence[Shard] = inputs.shards
    elif side.path is None:
        return None
    else:
        _log.info(f"Discovering {side.words} {side.role} shards...")
        cache = Cache(cache_path, limit)
        shards = _opened(expand(side), cache)
    members = None if member is None else [part.strip().lstrip(".").lower() for part in member.split(";")]
    described = _described(shards, side, members, pictures)
    if described is None:
        return None
    given = {"grayscale": grayscale, "color_order": color_order, "bands": bands, "values": values}
    keys = {**described.keys, **{key: value for key, value in given.items() if value is not None}}
    if described.kind == "arrays" and "channel_axis" not in described.keys:
        keys["channel_axis"] = channel_axis
    described = replace(described, keys=keys, classes=classes or described.classes)
    source = Shards(shards, side, described, max_pixels)
    if inputs is not None and list(inputs.names) != list(source.names):
        raise DataError(
            f"data.{side.key}: inputs and targets must be the same samples in the same order, but there are "
            f"{len(inputs.names)} inputs, the first `{inputs.names[0]}`, and {len(source.names)} targets, the first "
            f"`{source.names[0]}`"
        )
    return source


def _opened(paths: Sequence[str], cache: Cache) -> list[Shard]:
    """All shards.

    Raises:
        DataError: Some cannot be used; tells of each.
    """
    shards, faults = [], []
    for path in paths:
        try:
            shards.append(Shard(path, cache))
        except DataError as error:
            if path.startswith(SCHEMES):
                raise  # others of that server would be waited for as long
            faults.append(str(error))
    if faults:
        raise together(faults)
    return shards


def _described(
    shards: Sequence[Shard], side: Side, members: Sequence[str] | None, pictures: Literal["images", "masks"] | None
) -> Described | None:
    """What the wanted side is, as the user, the shards or the suffixes say it; None for a test set without targets."""
    notes = [shard.index.sides.get(side.role) for shard in shards]
    if any(shard.index.sides for shard in shards) and any(note != notes[0] for note in notes):
        other = next(shard for shard, note in zip(shards, notes, strict=True) if note != notes[0])
        raise DataError(
            f"data.{side.key}: {shards[0].name} and {other.name} were written from different kinds of data; give "
            "shards of one kind"
        )
    known = Described(**notes[0]) if notes[0] is not None else None
    if known is not None and (members is None or set(members) == set(known.members)):
        if pictures is None or known.kind not in ("images", "masks"):
            return known
        return replace(known, meaning=_meanings(pictures), kind=pictures)
    found = list(dict.fromkeys(suffix for shard in shards for suffix in shard.index.columns))
    wanted = _guessed(found, side) if members is None else members
    present = [suffix for suffix in wanted if suffix in found]
    if not present and members is None and side.role == "target" and side.which == "test":
        return None
    if not present:
        what = _or(wanted) if wanted else f"that could be the {side.role}"
        listed = ", ".join(f"`{suffix}`" for suffix in found[:MEMBERS_LISTED])
        raise DataError(
            f"data.{side.key}: the samples of `{shards[0].name}` have no member {what}; they have {listed}; say which "
            f'it is by "{side.role}_member": "..."'
        )
    kinds = {_kind(suffix) for suffix in present}
    strange = next((suffix for suffix in present if _kind(suffix) is None), None)
    if strange is not None or len(kinds) > 1:
        raise ConfigError(
            Problem(
                f"data.{side.role}_member",
                f"`{strange}` is neither a picture, nor `npy`, nor `cls`"
                if strange is not None
                else f"{_or(present)} are of different kinds; name members of one kind",
            )
        )
    kind = kinds.pop() or ""
    if kind == "images":
        masked = side.role == "target" and any(_MASK.search(suffix) for suffix in present)
        kind = pictures or ("masks" if masked else "images")
    return Described(present, _meanings(kind), kind)


def _meanings(kind: str) -> str:
    return {"images": "pixels", "masks": "classes", "labels": "classes"}.get(kind, "")


def _kind(suffix: str) -> str | None:
    last = suffix.rpartition(".")[2]
    return "labels" if suffix == CLASS else "arrays" if last == _ARRAY else "images" if last in _PICTURES else None


def _guessed(found: Sequence[str], side: Side) -> list[str]:
    dense = [suffix for suffix in found if _kind(suffix) in ("images", "arrays")]
    if side.role == "input":
        inputs = [suffix for suffix in dense if not _TARGET.search(suffix)]
        plain = [suffix for suffix in inputs if suffix in _PICTURES]  # `jpg` and `png` may be the same thing
        return plain or inputs[:1]
    return [CLASS] if CLASS in found else [suffix for suffix in dense if _TARGET.search(suffix)][:1]


def _places(
    shards: Sequence[Shard], suffixes: Sequence[str]
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Which of the suffixes every sample has, and where; -1 for those that have none."""
    count = sum(len(shard.index.keys) for shard in shards)
    which = np.full(count, -1, np.int8)
    offsets, sizes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    start = 0
    for shard in shards:
        rows = slice(start, start := start + len(shard.index.keys))
        for place, suffix in reversed(list(enumerate(suffixes))):
            column = shard.index.columns.get(suffix)
            if column is None:
                continue
            there = np.asarray(column.offsets) >= 0
            which[rows][there] = place
            offsets[rows][there] = np.asarray(column.offsets)[there]
            sizes[rows][there] = np.asarray(column.sizes)[there]
    return which, offsets, sizes


def _names(shards: Sequence[Shard]) -> list[str]:
    """Keys, and with their shard in front where shards use the same keys."""
    keys = [key for shard in shards for key in shard.index.keys]
    if len(set(keys)) == len(keys):
        return keys
    names = [
        f"{os.path.basename(shard.name).removesuffix('.tar')}/{key}"  # noqa: PTH119 - may be a URL
        for shard in shards
        for key in shard.index.keys
    ]
    double, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{double}: {count} samples of the shards have this name; members of a sample must lie together"
        )
    return names


def _labels(source: Shards, side: Side) -> tuple[NDArray[np.int64], Mapping[str, int]]:
    """The class of every sample, and which classes there are: those of the training set also for the test set."""
    texts = [text for shard in source.shards for text in shard.index.classes]
    training = getattr(side.training, "classes", None) or {}
    listed = list(training) or list(source.described.classes)
    if all(re.fullmatch(r"\d{1,18}", text) for text in texts):
        indices = np.array([int(text) for text in texts], np.int64)
        names = listed or [str(number) for number in range(min(int(indices.max()) + 1, 2**20))]
        wrong = np.flatnonzero(indices >= len(names))
        if wrong.size:
            raise DataError(
                f"{source.locate(int(wrong[0]))}: is of class {indices[wrong[0]]}, but there are {len(names)} classes"
                f"{' in the training set' if training else ''}, numbered from 0"
            )
        return indices, {name: number for number, name in enumerate(names)}
    known = {name: number for number, name in enumerate(listed or sorted(set(texts)))}
    strange = next((place for place, text in enumerate(texts) if text not in known), None)
    if strange is not None:
        raise DataError(
            f"{source.locate(strange)}: is of class `{texts[strange]}`, which is none of "
            f"{'the training set' if training else '`classes`'}"
        )
    return np.array([known[text] for text in texts], np.int64), known


def _or(suffixes: Sequence[str]) -> str:
    return " or ".join(f"`{suffix}`" for suffix in suffixes)
