"""Decodes members of shards: bytes that were files before."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rmldnn.data import headers
from rmldnn.data.decode import fitting
from rmldnn.errors import DataError

FILES = "/proc/self/fd"
"""Where Linux shows what a process has open."""


def jpeg(data: bytes, colours: str, max_pixels: int, into: NDArray[Any] | None = None) -> NDArray[Any] | None:
    """Decodes the usual kind of JPEG file; None for all else, and for what is damaged or too large.

    Args:
        data: The file.
        colours: Wanted channels, as simplejpeg calls them: `BGR`.
        max_pixels: Larger pictures are not decoded.
        into: Room for the pixels, which is used if it is just as large.
    """
    header = headers.jpeg(data)
    if header is None or header.components not in (1, 3) or header.orientation != 1:
        return None
    if header.height * header.width > max_pixels:
        return None
    try:
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, colours, buffer=fitting(into, header, colours))
    except ValueError:
        return None
    return pixels


def through_file(data: bytes, place: str, read: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
    """Lets a function that reads files read bytes: they get a file in memory.

    Args:
        data: The bytes.
        place: How messages call them.
        read: Reads a file.

    Raises:
        DataError: As `read` says.
    """
    file = os.memfd_create("sample")
    try:
        os.write(file, data)
        return read(f"{FILES}/{file}")
    except DataError as error:
        raise DataError(str(error).replace(f"{FILES}/{file}", place)) from None
    finally:
        os.close(file)


def array(data: bytes, place: str) -> NDArray[Any]:
    """The array of a `.npy` member.

    Raises:
        DataError: It is damaged, or no array of plain numbers.
    """
    from rmldnn.data.arrays import real

    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(stream)
        wanted = real(dtype, place)
        count = int(np.prod(shape, dtype=object))
        flat = np.frombuffer(data, dtype, count, stream.tell())
    except ValueError:
        raise DataError(
            f"{place}: cannot read this array: it is damaged, cut short, or was not written by NumPy; repair or "
            "remove it"
        ) from None
    return flat.reshape(shape, order="F" if fortran else "C").astype(wanted, copy=False)
