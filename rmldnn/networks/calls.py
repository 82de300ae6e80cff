"""The call of a layer in a file, by the names of its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks.graph import Arguments, Slot


def bound(arguments: Arguments, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of a call by name; those that are absent or null are left out, and so is `training`.

    Args:
        arguments: The call.
        names: Names of the positional arguments in order, then those that are only given by name.

    Raises:
        NetworkError: An argument that is not among them is set.
    """
    given = dict(zip(names, arguments.positional, strict=False)) | dict(arguments.keywords)
    given = {name: value for name, value in given.items() if value is not None and name != "training"}
    for name, value in given.items():
        if name not in names and value is not False:
            raise NetworkError(f"is called with `{name}`: {show(value)}, which it does not take; export without it")
    return given


def slots(value: Any) -> Iterator[int]:
    """The numbers of the tensors in an argument, however deep it nests them."""
    if isinstance(value, Slot):
        yield value.number
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from slots(part)
