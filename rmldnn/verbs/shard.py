"""`rmldnn shard`: writes the samples of a configuration into shards, from which they are read in order."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from rmldnn.config import catalog, translate
from rmldnn.config.instantiate import opened_data
from rmldnn.config.samples import SLICERS, TRANSFORM_LISTS
from rmldnn.data.decode import contents
from rmldnn.data.order import shuffled
from rmldnn.data.sets import Dataset
from rmldnn.data.shards.index import CLASS, SUFFIX, Described
from rmldnn.data.shards.remote import bytes_of
from rmldnn.data.shards.writing import Writer, pattern, whole_shards
from rmldnn.data.source import Indices, Source
from rmldnn.data.sources.images import Images, Pictures
from rmldnn.data.sources.webdataset import Shards
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, DataError, Problem, RmldnnError
from rmldnn.output.tables import bytes_
from rmldnn.verbs import add_configuration, loaded_configuration, parser

DESCRIPTION = """\
Writes the training and the test set of a configuration into tar files in the format of webdataset, each with an index,
as they are before transforms. Files of pictures go there as they are. The training set is mixed, since sources are
mostly sorted by class: its order is drawn from `seed` once for all. A sample that cannot be read ends the command, or
is left out if the configuration says "on_bad_sample": "skip". A command that ended early continues when it is called
again. At the end it prints the section `data` that reads the shards, and writes it into data.json beside them.

  rmldnn shard config.json --out shards/
  rmldnn shard config.json --out shards/ --shard-size 1GB --set train data.input_path=other/"""

SETS = {"train": "training", "test": "test"}
_Read: TypeAlias = "dict[str, bytes] | DataError"
"""The members of a sample, or why it is left out."""
_EVERY = 2.0
"""Seconds between two lines that tell how far it is."""
_AHEAD = 8
"""Samples that every thread may be ahead."""


def main(arguments: Sequence[str]) -> int:
    """Writes the shards; returns the exit code."""
    options = parser("shard", "[options] CONFIG [KEY=VALUE ...] --out FOLDER", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--out", metavar="FOLDER", required=True, help="where the shards go")
    options.add_argument("--shard-size", metavar="SIZE", default="256MB", help="size of a shard; 256MB by default")
    options.add_argument("--set", choices=(*SETS, "both"), default="both", help="which set; both by default")
    options.add_argument("--workers", type=int, metavar="N", default=4, help="threads that read; 4 by default")
    options.add_argument("--keep-order", action="store_true", help="write the training set in the order of its source")
    options.add_argument("--overwrite", action="store_true", help="replace shards that are there already")
    given = options.parse_intermixed_args(list(arguments))
    if given.workers < 1:
        raise ConfigError(f"--workers must be a positive integer, got {given.workers}")
    shard_bytes = bytes_of(given.shard_size, "--shard-size")
    loaded, changes = loaded_configuration(given)
    composed = translate.compose(loaded, changes)
    for problem in [*loaded.warnings, *composed.notices]:
        print(f"Warning: {problem}", file=sys.stderr)
    section = composed.values["data"]
    with composed.places():
        data = opened_data(composed.values)
        wanted = [which for which in SETS if given.set in (which, "both")]
        sets = {which: dataset for which in wanted if (dataset := getattr(data, which)) is not None}
        if not sets:
            raise ConfigError(f"--set {given.set}: the configuration has no such set")
        folder = _folder(given.out)
        written = {}
        for which, dataset in sets.items():
            order = np.arange(len(dataset))
            if which == "train" and not given.keep_order:
                order = shuffled(len(dataset), composed.values.get("seed", 0), epoch=0)
            fingerprint = _fingerprint(section, which, dataset, order, shard_bytes)
            job = _Job(folder, which, dataset, order, shard_bytes, fingerprint, skip_bad=data.skip_bad)
            written[which] = pattern(given.out, which, job.write(given.workers, overwrite=given.overwrite))
    _tell(folder, loaded.values.get("data", {}), sets, written)
    return 0


class _Job:
    """Writes the shards of one set.

    A file `.train.json` in the folder tells that this is not finished, and of which samples and sizes the shards are.
    """

    def __init__(
        self,
        folder: Path,
        which: str,
        dataset: Dataset,
        order: Indices,
        shard_bytes: int,
        fingerprint: str,
        *,
        skip_bad: bool,
    ) -> None:
        self.folder = folder
        self.which = which
        self.dataset = dataset
        self.order = order
        self.shard_bytes = shard_bytes
        self.fingerprint = fingerprint
        self.skip_bad = skip_bad
        self.journal = folder / f".{which}.json"
        self.inputs = _Packed(dataset.inputs.source, "input", skip_bad=skip_bad)
        self.targets = _Packed(dataset.targets.source, "target", skip_bad=skip_bad) if dataset.targets else None

    def write(self, workers: int, *, overwrite: bool) -> int:
        """Writes what is not there yet; returns the number of shards."""
        done = self._begin(overwrite=overwrite)
        there = {key for index in done for key in index.keys}
        if there:
            print(f"{self.which}: continues after {len(there):,} samples in {len(done)} shards that are whole")
        sides = {"input": self.inputs.described()}
        if self.targets is not None:
            sides["target"] = self.targets.described()
        keys = _keys(self.dataset.names)
        left = [index for index in self.order.tolist() if keys[index] not in there]
        total, first = len(keys), len(keys) - len(left)
        skipped = []
        began = told = time.monotonic()
        size = 0
        with Writer(self.folder, self.which, self.shard_bytes, sides, len(done)) as writer:
            read = zip(left, _ahead(self._read, left, workers), strict=True)
            for count, (index, members) in enumerate(read, first + 1):
                if isinstance(members, DataError):
                    skipped.append(f"left out: {members}")  # which names it
                    continue
                writer.write(keys[index], members)
                size += sum(map(len, members.values()))
                if time.monotonic() - told > _EVERY:
                    told = time.monotonic()
                    rate = (count - first) / (told - began)
                    print(
                        f"{self.which}: {count:,} of {total:,} samples, {bytes_(size)}, {rate:,.0f} samples/s, "
                        f"{(total - count) / rate:,.0f} s left",
                        flush=True,
                    )
            writer.finish()
            shards = writer.count
        if not shards:
            raise DataError(f"no sample of the {SETS[self.which]} set can be read; {skipped[0]}")
        self.journal.unlink()
        print(f"{self.which}: {total - len(skipped):,} samples in {shards} shards")
        if skipped:
            words = f"{len(skipped)} sample{'s' if len(skipped) > 1 else ''} of the {SETS[self.which]} set"
            about = f"{words} could not be read and {'were' if len(skipped) > 1 else 'was'} left out (`on_bad_sample`)"
            print("\n  ".join([f"Warning: {about}", *skipped]), file=sys.stderr)
        return shards

    def _read(self, index: int) -> _Read:
        try:
            return self._members(index)
        except DataError as error:
            if self.skip_bad:
                return error
            more = '`rmldnn data` lists all such samples, and "on_bad_sample": "skip" leaves them out'
            raise DataError(f"{error}; {more}") from error

    def _members(self, index: int) -> dict[str, bytes]:
        members = self.inputs.members(index)
        return members | self.targets.members(index) if self.targets is not None else members

    def _begin(self, *, overwrite: bool) -> list[Any]:
        """What is whole of the same shards; removes what is left of others, if that is wanted."""
        there = sorted(
            path
            for path in self.folder.glob(f"{self.which}-*")
            if path.name.removeprefix(f"{self.which}-").removesuffix(SUFFIX).removesuffix(".tar").isdigit()
        )
        unfinished = self.journal.read_text(encoding="utf-8") if self.journal.is_file() else None
        done = whole_shards(self.folder, self.which) if unfinished == self.fingerprint and not overwrite else []
        if there and not overwrite and unfinished != self.fingerprint:
            what = "of an unfinished command for other samples or sizes" if unfinished else "already"
            raise DataError(
                f"{there[0]}: is there {what}; name another folder, or replace what is there by --overwrite"
            )
        kept = sum(1 for _ in done)
        try:
            with replacing(self.journal) as partial:
                partial.write_text(self.fingerprint, encoding="utf-8")
            for path in there:
                if int(path.name[len(self.which) + 1 :][:6]) >= kept:
                    path.unlink()
            for path in self.folder.glob(f".{self.which}-*"):  # of a command that was killed
                path.unlink()
        except OSError as error:
            raise RmldnnError(f"{self.folder}: cannot write here: {error.strerror}") from error
        return done


class _Packed:
    """One side of the samples as members of shards."""

    def __init__(self, source: Source, role: str, *, skip_bad: bool) -> None:
        if source.meaning == "boxes":
            message = "boxes cannot be packed into shards; train on the pictures in their folders"
            raise ConfigError(Problem("data.target_type", message))
        self.source = source
        self.prefix = "target." if role == "target" else ""
        self.files = isinstance(source, Pictures)
        self.labels = not self.files and source.meaning == "classes" and self._is_number(skip_bad=skip_bad)
        self.suffixes: list[str] = []
        if isinstance(source, Pictures):
            self.suffixes = [_suffix(name) for name in source.names]

    def described(self) -> Described:
        """What the index says about it."""
        source = self.source
        classes = list(getattr(source, "classes", ()))
        if self.labels:
            return Described([CLASS], "classes", "labels", classes=classes)
        if self.files:
            members = [self.prefix + suffix for suffix in sorted(set(self.suffixes))]
            if isinstance(source, Images):
                keys: dict[str, Any] = {
                    "grayscale": source.grayscale,
                    "color_order": "rgb" if source.rgb else "bgr",
                    "bands": source.bands,
                }
                return Described(members, source.meaning, "images", keys)
            return Described(members, source.meaning, "masks", {"values": getattr(source, "_values", None) or None})
        return Described([f"{self.prefix}npy"], source.meaning, "arrays", {"channel_axis": "last"}, classes)

    def members(self, index: int) -> dict[str, bytes]:
        """Suffix and bytes of one sample.

        Raises:
            DataError: It cannot be read, as a run would find.
        """
        taken = self.source.take(np.array([index]))[0]
        if self.files:
            return {self.prefix + self.suffixes[index]: contents(self.source.locate(index))}
        if self.labels:
            return {CLASS: str(int(taken)).encode()}
        return {f"{self.prefix}npy": _npy(np.asarray(taken))}

    def _is_number(self, *, skip_bad: bool) -> bool:
        for index in range(len(self.source.names)):
            try:
                return np.ndim(self.source.take(np.array([index]))[0]) == 0
            except DataError:
                if not skip_bad:
                    raise
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].removeprefix(".").lower()  # noqa: PTH122 - a name


def _npy(array: Any) -> bytes:
    import io

    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _keys(names: Sequence[str]) -> list[str]:
    """Names of samples as webdataset wants them: no suffix and no dot in the last part, and none twice."""
    keys = []
    for name in names:
        folder, slash, base = name.rpartition("/")
        stem = os.path.splitext(base)[0] or base  # noqa: PTH122 - a name
        keys.append(f"{folder}{slash}{stem.replace('.', '_')}")
    count = Counter(keys)
    taken = set(keys)
    for place, key in enumerate(keys):
        if count[key] > 1:
            new = f"{key}_{place}"
            while new in taken:
                new += "_"
            taken.add(new)
            keys[place] = new
    return keys


def _ahead(read: Callable[[int], _Read], indices: Sequence[int], workers: int) -> Iterator[_Read]:
    """What `read` gives for the indices, in their order, read by several threads."""
    pending: deque[Future[_Read]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for index in indices:
                pending.append(pool.submit(read, index))
                if len(pending) > workers * _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RmldnnError(f"--out {out}: cannot make this folder: {error.strerror}") from error
    return folder


def _fingerprint(section: Mapping[str, Any], which: str, dataset: Dataset, order: Indices, shard_bytes: int) -> str:
    """What shards depend on, so that a command continues only what it began."""
    for side in (dataset.inputs, dataset.targets):
        if side is not None and isinstance(side.source, Shards):
            raise ConfigError(
                "data.input_type: these samples are in shards already; give the configuration of the files"
            )
    own = {
        key: value for key, value in section.items() if key not in (*catalog.only("data").parameters, *TRANSFORM_LISTS)
    }
    names = [dataset.names[index] for index in order.tolist()]
    what = [own, which, shard_bytes, names, [section.get(key) for key in ("input_path", "target_path")]]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _tell(folder: Path, section: Mapping[str, Any], sets: Mapping[str, Dataset], written: Mapping[str, str]) -> None:
    """Prints and writes the section `data` that reads the shards: what acts on samples stays."""
    kept = {*catalog.only("data").parameters, *catalog.only("predictions").parameters, *TRANSFORM_LISTS, "max_pixels"}
    kept -= {"input_path", "target_path", "test_input_path", "test_target_path"}
    kept -= {"hdf5_outfile"} if section.get(SLICERS) else set()
    targets = next(iter(sets.values())).targets is not None
    types = {"type": "webdataset"} if targets else {"input_type": "webdataset"}
    data: dict[str, Any] = {**types}
    for which, path in written.items():
        data["input_path" if which == "train" else "test_input_path"] = path
    data |= {key: value for key, value in section.items() if key in kept}
    text = json.dumps({"data": data}, indent=2)
    with replacing(folder / "data.json") as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    print(f"Read them by this section, which is in {folder / 'data.json'} too:\n{text}")
