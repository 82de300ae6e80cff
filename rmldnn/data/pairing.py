"""Finds the target that belongs to every input."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from rmldnn.errors import DataError


def pair(inputs: Sequence[str], targets: Sequence[str], key: str) -> list[str]:
    """Sorts target files so that each stands where its input does.

    Tried in turn: equal paths; equal paths but for the suffix (`a/1.jpg`, `a/1.png`); equal once the beginning and
    the end that all inputs, and all targets, have in common are taken off (`img_1`, `1_mask`). Files with no such
    relation are paired in sorted order if there are as many of them.

    Args:
        inputs: Sorted paths of the inputs.
        targets: Sorted paths of the targets.
        key: The key of `data` that names the targets, for messages.

    Raises:
        DataError: Something has no partner; lists it.
    """
    relations: tuple[Callable[[Sequence[str]], list[str]], ...] = (list, _stems, _cores)
    for relation in relations:
        partner = dict(zip(relation(targets), targets, strict=True))
        wanted = relation(inputs)
        if len(partner) == len(targets) == len(inputs) and partner.keys() == set(wanted):
            return [partner[name] for name in wanted]
    in_stems, target_stems = _stems(inputs), _stems(targets)
    related = not set(in_stems).isdisjoint(target_stems)
    if len(inputs) == len(targets) and not related:
        return list(targets)
    message = f"data.{key}: every input needs one target, but there are {len(inputs)} inputs and {len(targets)} targets"
    if related:
        message += _alone("inputs without target", inputs, in_stems, target_stems)
        message += _alone("targets without input", targets, target_stems, in_stems)
    raise DataError(f"{message}; files are paired by name, such as `a/1.jpg` with `a/1.png`")


def _stems(names: Sequence[str]) -> list[str]:
    return [os.path.splitext(name)[0] for name in names]  # noqa: PTH122 - names, not files


def _cores(names: Sequence[str]) -> list[str]:
    """What distinguishes the names."""
    stems = _stems(names)
    start = _common_start(stems)
    stems = [stem[start:] for stem in stems]
    end = _common_start([stem[::-1] for stem in stems])
    return [stem[: len(stem) - end] for stem in stems]


def _common_start(texts: Sequence[str]) -> int:
    """The number of letters that all texts begin with; the first and the last in sorted order differ soonest."""
    first, last = min(texts), max(texts)
    return next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _alone(what: str, names: Sequence[str], stems: Sequence[str], others: Sequence[str], limit: int = 5) -> str:
    taken = set(others)
    alone = [name for name, stem in zip(names, stems, strict=True) if stem not in taken]
    if not alone:
        return ""
    shown = ", ".join(f"`{name}`" for name in alone[:limit])
    more = f" and {len(alone) - limit} more" if len(alone) > limit else ""
    return f"; {what}: {shown}{more}"
