"""Finds the target that belongs to every input."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence

from rmldnn.errors import DataError

_log = logging.getLogger("rmldnn")


def pair(inputs: Sequence[str], targets: Sequence[str], key: str) -> list[str]:
    """Sorts targets so that each stands where its input does.

    Names are those of any source: paths of files, and what is inside them (`a/1.npz/x`). A single input and a single
    target always belong together. Else tried in turn: equal names; equal but for the suffixes (`a/1.jpg`, `a/1.png`);
    equal once the beginning and the end that all inputs, and all targets, have in common are taken off (`img_1`,
    `1_mask`). Names with no such relation are paired in sorted order, with a warning, if there are as many of them.

    Args:
        inputs: Names of the inputs.
        targets: Sorted names of the targets.
        key: The key of `data` that names the targets, for messages.

    Raises:
        DataError: Something has no partner, or two of them; lists it.
    """
    if len(inputs) == len(targets) == 1:
        return list(targets)
    relations: tuple[Callable[[Sequence[str]], list[str]], ...] = (list, _stems, _all_stems, _cores)
    for relation in relations:
        partner = dict(zip(relation(targets), targets, strict=True))
        wanted = relation(inputs)
        if len(partner) == len(targets) == len(inputs) and partner.keys() == set(wanted):
            return [partner[name] for name in wanted]
    in_stems, target_stems = _stems(inputs), _stems(targets)
    related = not set(in_stems).isdisjoint(target_stems)
    if len(inputs) == len(targets) and not related:
        _log.warning(
            f"data.{key}: names of targets are not those of inputs; they are paired in sorted order, such as "
            f"`{inputs[0]}` with `{targets[0]}` and `{inputs[-1]}` with `{targets[-1]}`"
        )
        return list(targets)
    message = (
        f"data.{key}: every input needs one target, but there {'is' if len(inputs) == 1 else 'are'} "
        f"{_count(inputs, 'input')} and {_count(targets, 'target')}"
    )
    if related:
        message += _alone("inputs without target", inputs, in_stems, target_stems)
        message += _alone("targets without input", targets, target_stems, in_stems)
    message += _double("inputs of the same name", inputs, in_stems)
    message += _double("targets of the same name", targets, target_stems)
    remedy = "they are paired by name, such as `a/1.jpg` with `a/1.png`; move what has no partner into another folder"
    raise DataError(f"{message}; {remedy}")


def _stems(names: Sequence[str]) -> list[str]:
    return [os.path.splitext(name)[0] for name in names]  # noqa: PTH122 - names, not files


def _all_stems(names: Sequence[str]) -> list[str]:
    """Names without the suffix of any part: `a.npz/x` is that of `a.h5/x`."""
    return ["/".join(os.path.splitext(part)[0] for part in name.split("/")) for name in names]  # noqa: PTH122


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


def _alone(what: str, names: Sequence[str], stems: Sequence[str], others: Sequence[str]) -> str:
    taken = set(others)
    return some(what, [name for name, stem in zip(names, stems, strict=True) if stem not in taken])


def _double(what: str, names: Sequence[str], stems: Sequence[str]) -> str:
    count = Counter(stems)
    return some(what, [name for name, stem in zip(names, stems, strict=True) if count[stem] > 1])


def _count(names: Sequence[str], noun: str) -> str:
    return f"{len(names)} {noun}{'s' if len(names) != 1 else ''}"


def some(what: str, names: Sequence[str], limit: int = 20) -> str:
    """The first of some names, with a text before them: `; inputs without target: `1.jpg`, `2.jpg` and 5 more`."""
    if not names:
        return ""
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"; {what}: {shown}{more}" if what else f": {shown}{more}"
