"""`rmldnn anchors`: the sizes of boxes that a detection network should start from."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rmldnn.config import translate
from rmldnn.config.detection import BOXES
from rmldnn.config.instantiate import opened_data
from rmldnn.data.anchors import Sizes, anchors, box_sizes, nearest
from rmldnn.data.dataset import Data
from rmldnn.errors import ConfigError, DataError
from rmldnn.verbs import add_configuration, loaded_configuration, parser

DESCRIPTION = """\
Finds anchors for the boxes of the training set, as the network sees them after the transforms that do the same to every
sample: sizes that are near to those of the boxes. Prints them as the key `anchors` of the loss YOLOv3 takes them.

  rmldnn anchors config.json                   nine anchors, for three scales
  rmldnn anchors config.json --num 6           six, for two scales
  rmldnn anchors config.json --size 416        for pictures put into 416 x 416 in proportion, whatever transforms say"""


def main(arguments: Sequence[str]) -> int:
    """Finds and prints; returns the exit code."""
    options = parser("anchors", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--num", type=int, metavar="N", default=9, help="number of anchors; 9 by default")
    options.add_argument("--size", type=int, metavar="PIXELS", help="sides of the picture that the network sees")
    options.add_argument("--seed", type=int, metavar="N", default=0, help="of what is drawn; 0 by default")
    given = options.parse_intermixed_args(list(arguments))
    for name in ("num", "size"):
        value = getattr(given, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} must be a positive integer, got {value}")
    if given.seed < 0:
        raise ConfigError(f"--seed must be at least 0, got {given.seed}")
    loaded, changes = loaded_configuration(given)
    composed = translate.compose(loaded, changes)
    for problem in [*loaded.warnings, *composed.notices]:
        print(f"Warning: {problem}", file=sys.stderr)
    with composed.places():
        sizes, extents = _sizes(opened_data(composed.values), given.size)
    try:
        found = anchors(sizes, given.num, given.seed).round(1)
    except ValueError as error:
        raise DataError(f"{error}; the training set has {len(sizes):,}; take a smaller --num") from None
    _, overlap = nearest(sizes, found)
    what = f"pictures of {extents}" if extents else "pictures of several sizes; `resize` or `letterbox` gives them one"
    print(f"{len(sizes):,} boxes on {what}; mean IoU with the nearest anchor: {overlap.mean():.3f}")
    numbers = [[_short(side) for side in pair] for pair in found.tolist()]
    print(f'"anchors": {json.dumps(numbers)}')
    return 0


def _sizes(data: Data, side: int | None) -> tuple[Sizes, str]:
    """Width and height of all boxes of the training set, and the size of the pictures if they have one."""
    dataset = data.train or data.test
    if dataset is None or dataset.targets is None or dataset.targets.source.meaning != "boxes":
        kinds = " or ".join(f"`{kind}`" for kind in BOXES)
        raise ConfigError(f"there are no boxes in this configuration; set `data.target_type` to {kinds}")
    sizes, extents = box_sizes(dataset.targets, side)
    if not len(sizes):
        raise DataError("the training set has no boxes at all; `rmldnn data` shows what it has")
    width, height = next(iter(extents))
    return sizes, f"{width} x {height} (width x height)" if len(extents) == 1 else ""


def _short(number: float) -> float:
    return int(number) if number == int(number) else number
