"""HDF5 files with one dataset for each sample; the door to h5py for what a run writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5d, h5g, h5p, h5s, h5t

from rmldnn.disk import Disk
from rmldnn.errors import DataError
from rmldnn.output.places import saving

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN = 4
"""Files of predictions that a message names."""


class SampleFile:
    """An HDF5 file in the making, hidden beside the place where it will be.

    Uses h5py's low-level interface, at a third of the price of the high-level one per sample, and the earliest file
    format, which HDF5 1.8 reads.

    Args:
        path: Where the file will be.
        half: Whether to store 16-bit floats instead of 32-bit ones.

    Raises:
        RmldnnError: The file cannot be made.
    """

    def __init__(self, path: Path, *, half: bool) -> None:
        self.path = path
        self._half = half
        self._type = h5t.IEEE_F16LE if half else h5t.IEEE_F32LE
        self._part = path.with_name(f".{path.name}.part")
        with saving(str(path)):
            self._disk = Disk(self._part, "w+")
        self._file = h5py.File(self._disk, "w", libver="earliest")
        self._groups: dict[tuple[bytes, ...], Any] = {(): self._file.id}
        self._plan = h5p.create(h5p.DATASET_CREATE)
        self._plan.set_obj_track_times(False)  # equal numbers make equal files
        self._utf8 = h5p.create(h5p.LINK_CREATE)
        self._utf8.set_char_encoding(h5t.CSET_UTF8)

    def add(self, names: Sequence[str], predictions: Tensor) -> None:
        """Adds one dataset for each name.

        Args:
            names: Sample names; `/` separates groups.
            predictions: Output of shape (n, C, *spatial), on any device.

        Raises:
            DataError: A name is empty or taken.
            RmldnnError: The file cannot be written.
        """
        output = predictions.detach()
        arrays = (output.half() if self._half else output.float()).cpu().contiguous().numpy()
        space = h5s.create_simple(arrays.shape[1:]) if arrays.ndim > 1 else h5s.create(h5s.SCALAR)
        for name, array in zip(names, arrays, strict=True):
            *folders, leaf = _parts(name)
            try:
                group = self._group(tuple(folders))
                dataset = h5d.create(group, leaf, self._type, space, dcpl=self._plan, lcpl=self._utf8)
            except ValueError as error:
                message = f"`{name}`: another test sample has the same place in `{self.path}`; rename one of the two"
                raise DataError(message) from error
            dataset.write(h5s.ALL, h5s.ALL, array)
            if self._disk.failure:
                break
        with saving(str(self.path)):
            self._disk.check()

    def complete(self) -> None:
        """Closes the file and gives it its name.

        Raises:
            RmldnnError: The file cannot be written.
        """
        self._file.close()
        with saving(str(self.path)):
            self._disk.close()
            self._disk.check()
            self._part.replace(self.path)

    def discard(self) -> None:
        """Removes the file."""
        try:
            self._file.close()
            self._disk.close()
        finally:
            self._part.unlink(missing_ok=True)

    def _group(self, folders: tuple[bytes, ...]) -> Any:
        if folders not in self._groups:
            *parents, leaf = folders
            self._groups[folders] = h5g.create(self._group(tuple(parents)), leaf, lcpl=self._utf8)
        return self._groups[folders]


@contextmanager
def predictions_of(path: Path) -> Iterator[Callable[[str], Any]]:
    """What tells the prediction (C, *spatial) for a sample, from a file that a run wrote; None if it has none.

    Raises:
        DataError: The file is not there, or cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of predictions; {_others(path.parent)}")
    if path.suffix.lower() == ".json":
        raise DataError(
            f"{path}: is no HDF5 file of predictions; a run draws detections itself, as pictures with boxes: say "
            '`"pictures": 20` in `task` (see docs/detection.md)'
        )
    try:
        file = h5py.File(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file of predictions: {error}") from error
    with file:

        def predicted(name: str) -> Any:
            found = file.get(b"/".join(_parts(name)))
            return found[()] if isinstance(found, h5py.Dataset) else None

        yield predicted


def _others(folder: Path) -> str:
    """Which files of predictions lie in a folder, the newest first."""
    if not folder.is_dir():
        return f"there is no folder `{folder}` either"
    there = sorted(folder.glob("*.h5"), key=lambda file: file.stat().st_mtime, reverse=True)
    if not there:
        return f"`{folder}` has none; `data.test_output_path` lets a run write them"
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return f"`{folder}` has {', '.join(file.name for file in there[:_SHOWN])}{more}"


def _parts(name: str) -> list[bytes]:
    """Folders and file of a sample's name, less steps upwards: whoever unpacks the file stays in his folder."""
    parts = [part.encode(errors="surrogateescape") for part in name.split("/") if part not in ("", ".", "..")]
    if not parts:
        raise DataError(f"`{name}`: a prediction is stored under the name of its sample; rename the sample")
    return parts
