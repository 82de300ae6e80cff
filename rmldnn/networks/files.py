"""The files in which Keras keeps the description of a network: JSON, `.keras` archives, HDF5 files of whole models.

What a file is, its content decides, not its name.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from rmldnn.disk import absent
from rmldnn.errors import NetworkError, Problem

LARGEST = 2**26
"""Bytes; networks of a thousand layers take one or two millions."""
_WANTED = "`layers` must be a file that Keras wrote, such as the text of `model.to_json()`"
HDF5 = b"\x89HDF\r\n\x1a\n"


def load(path: str) -> tuple[Any, str]:
    """The model object in a file, and the version of Keras that the file names outside of it, if it does.

    Raises:
        NetworkError: The file is missing, unreadable, or describes no network.
    """
    if not path:
        raise NetworkError("`layers` is empty; give the path of a Keras JSON file, or the list of layers itself")
    file = Path(path)
    try:
        with file.open("rb") as stream:
            start = stream.read(len(HDF5))
        if start == HDF5:
            return _from_hdf5(path)
        if start[:2] == b"PK" and zipfile.is_zipfile(file):
            return _from_archive(path)
        return _parsed(file.read_text(encoding="utf-8"), path), ""
    except FileNotFoundError:
        raise NetworkError(
            f"layers: {absent(path)}; it is the path of a Keras file, or the list of layers itself"
        ) from None
    except UnicodeDecodeError:
        raise NetworkError(f"{path}: neither text nor a file of Keras; {_WANTED}") from None
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}; {_WANTED}") from None
    except (ValueError, zipfile.BadZipFile) as error:  # ValueError: no path at all
        raise NetworkError(f"{path}: cannot be read: {error}; {_WANTED}") from None


def _from_archive(path: str) -> tuple[Any, str]:
    with zipfile.ZipFile(path) as archive:
        try:
            config, text = (member(archive, name) for name in ("config.json", "metadata.json"))
        except KeyError:
            raise NetworkError(f"{path}: a zip archive without `config.json`, so no `.keras` file; {_WANTED}") from None
    metadata = _parsed(text.decode(), f"{path}/metadata.json")
    version = metadata.get("keras_version", "") if isinstance(metadata, dict) else ""
    return _parsed(config.decode(), f"{path}/config.json"), str(version)


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A text in an archive, unless it unpacks to more than any network needs."""
    if archive.getinfo(name).file_size > LARGEST:
        raise ValueError(f"`{name}` in it is larger than {LARGEST:,} bytes")
    return archive.read(name)


def _from_hdf5(path: str) -> tuple[Any, str]:
    import h5py

    with h5py.File(path) as file:
        config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    if config is None:
        raise NetworkError(
            f"{path}: holds weights only, no network; give the model's JSON as `layers` and this file as "
            "`checkpoints.load`"
        )
    return _parsed(_text(config), path), _text(version)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _parsed(text: str, path: str) -> Any:
    if not text.strip():
        raise NetworkError(f"{path}: is empty; {_WANTED}")
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _TwiceError as error:
        said = f"`{error}` is written twice in one object, with different values; remove one of them"
        raise NetworkError(Problem("", said, path)) from None
    except json.JSONDecodeError as error:
        raise NetworkError(
            Problem(
                "",
                f"not valid JSON: {error.msg} at column {error.colno}; export it again with `model.to_json()`",
                f"{path}:{error.lineno}",
            )
        ) from None
    except ValueError as error:  # a number of thousands of digits
        raise NetworkError(Problem("", f"not valid JSON: {error}; write a smaller number", path)) from None


class _TwiceError(Exception):
    """A key of an object is there twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; the second of two equal keys would win in silence."""
    values = dict(pairs)
    if len(values) < len(pairs):
        for key, value in pairs:
            if values[key] != value:
                raise _TwiceError(key)
    return values
