"""Public data sets: fetched, compared with their checksum, unpacked.

::

    archive = fetch("https://host/pictures.zip", "downloads/pictures.zip", md5="...")
    unpack(archive, "pictures")
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
import zipfile
from http.client import HTTPResponse
from pathlib import Path

from rmldnn.data.http import SCHEMES, AnswerError, ask, shown
from rmldnn.disk import reason, sync
from rmldnn.errors import ConfigError, DataError, RmldnnError

_CHUNK = 2**20
_NOTHING_MORE = 416
_RESUMED = 206


def fetch(url: str, file: str | Path, *, sha256: str | None = None, md5: str | None = None) -> Path:
    """Fetches a file unless it is there already; one that broke off goes on where it was.

    The file gets its name when it is whole and its checksum is right. Until then it lies beside, as `.<name>.part`.

    Args:
        url: Where it is: http or https.
        file: Where it is to be; the folder is made.
        sha256: What its SHA-256 must be, in hexadecimal digits.
        md5: The same for MD5, which older data sets publish. One of the two must be given.

    Returns:
        The path of the file.

    Raises:
        ConfigError: The URL is not http, or there is no checksum.
        DataError: The server does not have it or does not answer, or the checksum is wrong.
        RmldnnError: There is no room for it.
    """
    if not url.lower().startswith(SCHEMES):
        raise ConfigError(f"{shown(url)}: must be an address that begins with http:// or https://")
    if not (wanted := sha256 or md5):
        raise ConfigError(f"{shown(url)}: give the checksum of this file: sha256=... or md5=...")
    wanted, kind = wanted.lower(), "sha256" if sha256 else "md5"
    place = Path(file)
    part = place.with_name(f".{place.name}.part")

    def headers() -> dict[str, str]:
        have = _size(part)
        return {"Range": f"bytes={have}-"} if have else {}

    def take(answer: HTTPResponse) -> None:
        _append(answer, part, place.name)
        if (got := _digest(part, kind)) != wanted:
            part.unlink()
            raise AnswerError(f"its {kind} is {got}, not {wanted}")

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            if (got := _digest(place, kind)) == wanted:
                return place
            raise DataError(
                f"{place}: is there already, but its {kind} is {got}, not {wanted}; remove the file to fetch it anew"
            )
        whole = part.exists() and _digest(part, kind) == wanted  # but killed before it got its name
        if not whole and ask(url, take, headers, accept=(_NOTHING_MORE,)) == _NOTHING_MORE:
            part.unlink()  # of another file, which was longer
            ask(url, take)
        part.replace(place)
        sync(place.parent)
    except OSError as error:
        raise RmldnnError(f"cannot write `{place}`: {reason(error, place.parent)}") from error
    return place


def unpack(archive: str | Path, folder: str | Path) -> Path:
    """Unpacks a zip or tar file; members that lead out of the folder are refused.

    Args:
        archive: The file.
        folder: Where to; made if it does not exist.

    Returns:
        The folder.

    Raises:
        DataError: It is no such file, or damaged.
        RmldnnError: There is no room for what it holds.
    """
    source, target = Path(archive), Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if zipfile.is_zipfile(source):
            shutil.unpack_archive(source, target, "zip")  # which leaves out absolute names and those with `..`
        else:
            with tarfile.open(source) as tar:
                tar.extractall(target, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{source}: cannot be unpacked: {error}; remove the file and fetch it anew") from error
    except OSError as error:
        raise RmldnnError(f"cannot unpack `{source}`: {reason(error, target)}") from error
    return target


def _append(answer: HTTPResponse, part: Path, name: str) -> None:
    """Writes what comes behind what is there, if the server agrees to go on."""
    have = _size(part)
    goes_on = answer.status == _RESUMED and (answer.headers["Content-Range"] or "").startswith(f"bytes {have}-")
    at = have if goes_on else 0
    length = answer.headers["Content-Length"]
    whole = at + int(length) if length and length.isdigit() else None
    with part.open("ab" if goes_on else "wb") as file:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            at += len(chunk)
            _show(name, at, whole)
    if whole is not None and at < whole:
        raise AnswerError(f"{at} of {whole} bytes came")


def _digest(file: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _show(name: str, at: int, whole: int | None) -> None:
    """How far it is, on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if at == whole else ""
        of = f" of {whole / 1e6:.1f}" if whole else ""
        sys.stderr.write(f"\r{name}: {at / 1e6:.1f}{of} MB{end}")
