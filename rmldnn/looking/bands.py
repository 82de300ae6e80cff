"""How many channels pictures have, told by the beginnings of their files where these say it."""

from __future__ import annotations

from rmldnn.data import headers, png
from rmldnn.data.decode import decode
from rmldnn.data.layouts.listing import beginning
from rmldnn.data.source import Source
from rmldnn.data.survey import chosen
from rmldnn.errors import DataError

_FILES = 64
"""Files of which channels are counted."""
_START = 2**18
_GREY, _COLOURS = 1, 3
_PNG = {0: _GREY, 2: _COLOURS}
"""Channels by the byte of the header that says so; of others a decoder knows better."""


def channels_of(source: Source) -> set[int]:
    """The numbers of channels that there are in some files; none if none of them can be read."""
    found = {_channels(source.locate(int(index))) for index in chosen(len(source.names), _FILES)}
    return {one for one in found if one}


def _channels(path: str) -> int:
    start = beginning(path, _START)
    header = headers.jpeg(start)
    if header and header.components in (_GREY, _COLOURS):
        return header.components
    if start.startswith(png.SIGNATURE) and len(start) > png.HEADER and b"tRNS" not in start and start[25] in _PNG:
        return _PNG[start[25]]
    try:
        return int(decode(path, grayscale=False, rgb=False, bands="all").shape[-1])
    except DataError:
        return 0
