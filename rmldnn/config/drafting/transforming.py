"""What is done to samples before a network learns from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rmldnn.config.drafting.facts import PICTURE, VOLUME, Facts, Wishes
from rmldnn.config.drafting.sizes import NO_FAMILY
from rmldnn.config.keys import Values

_PER_COLUMN = 64
_COLOURS = 3
_LETTERS = 2
_SIDES = frozenset({"left", "right"})


def transforms(facts: Facts, wish: Wishes, *, cut: bool) -> tuple[list[Values], list[Values]]:
    """What is done to inputs and targets, and to inputs alone.

    Augmentation is what hardly can be wrong. A mirrored photograph is one of the same things; a mirrored digit is none.
    Arrays may hold vectors, which mirroring would have to turn as well, and organs have sides; so these stay.
    """
    shared: list[Values] = []
    flat = facts.axes == PICTURE
    if facts.task == "detection":
        mirrored = [{"random_horizontal_flip": 0.5}] if _mirrors(facts) else []
        return [*mirrored, {"jitter_crop": 0.2}, {"letterbox": list(wish.extent[::-1])}], []
    alike = facts.least == facts.most == wish.extent and (facts.every or not facts.pixels)
    other = facts.resized or not alike
    if other and (flat or facts.axes == VOLUME) and not cut:
        # pictures count width before height, volumes depth, height, width
        shared.append({"resize": list(wish.extent[::-1] if flat else wish.extent)})
    if facts.pixels and flat and _mirrors(facts):
        shared.append({"random_horizontal_flip": 0.5})
    if facts.pixels and flat and facts.task == "classification":
        shared.append({"random_scale": 0.1})
    own: list[Values] = []
    if facts.pixels and facts.task in ("classification", "segmentation"):
        own.append({"random_brightness": 0.1})
    if facts.mean and wish.network != NO_FAMILY and len(facts.mean) <= _PER_COLUMN:
        own.append({"normalize": {"mean": _short(facts.mean), "std": _short(facts.deviation, least=1e-6)}})
    return shared, own


def _mirrors(facts: Facts) -> bool:
    """Whether a mirrored picture has the same target.

    Not where targets are numbers, such as angles, and not where pictures are grey, as scans and writing are, or classes
    are called by a side, a letter or a digit.
    """
    if facts.task not in ("classification", "detection"):
        return facts.task != "regression"
    words = [{*re.findall(r"[a-z]+", name.lower())} for name in facts.classes]
    sides, short = any(one & _SIDES for one in words), all(len(name) <= _LETTERS for name in facts.classes)
    return facts.channels == _COLOURS and not sides and not short


def shift_of(mean: Sequence[float], deviation: Sequence[float]) -> Values | None:
    """What brings numbers to a size in which they are learned; None if they have it, or if it is not known which."""
    near = all(0.1 <= one <= 10 and abs(middle) <= 3 for middle, one in zip(mean, deviation, strict=True))
    pictures = all(0 <= middle <= 1 and one <= 1 for middle, one in zip(mean, deviation, strict=True))
    if near or pictures or len(mean) > _PER_COLUMN:
        return None
    return {"mean": _short(mean), "std": _short([one or 1.0 for one in deviation], least=1e-12)}


def _short(numbers: Sequence[float], least: float | None = None) -> float | list[float]:
    """Numbers to three digits; one of them if all are alike."""
    short = [float(f"{max(number, least) if least else number:.3g}") for number in numbers]
    return short[0] if len({*short}) == 1 else short
