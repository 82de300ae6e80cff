"""`rmldnn data`: what there is in the sets of a configuration, and what is wrong with them."""

from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rmldnn.config import translate
from rmldnn.config.instantiate import opened_data
from rmldnn.data.contact_sheet import draw_sheet
from rmldnn.data.pipeline import Shape
from rmldnn.data.sets import Dataset
from rmldnn.data.slices import Sliced
from rmldnn.data.source import Source
from rmldnn.data.survey import Facts, Survey, survey
from rmldnn.errors import ConfigError, DataError
from rmldnn.output.samples import predictions_of
from rmldnn.output.tables import print_table
from rmldnn.verbs import add_configuration, loaded_configuration, parser

DESCRIPTION = """\
Looks at every sample of the training and the test set: shapes, types, values, classes, files that cannot be read,
samples that are there twice. Writes a picture of training samples, as the network gets them, with their targets.
The exit code is 3 if samples cannot be used.

  rmldnn data config.json                      tables, and the picture data.png
  rmldnn data config.json --limit 1000         no more than 1000 samples of each set
  rmldnn data config.json --predictions predictions/output_12.h5
                                               the picture is of test samples, and what the network made of them
  rmldnn data config.json --json               for programs"""

SETS = {"train": "Training set", "test": "Test set"}
_ROWS = 24
"""Rows of a table of which there may be many."""


def main(arguments: Sequence[str]) -> int:
    """Looks, prints and draws; returns the exit code."""
    options = parser("data", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--sheet", metavar="FILE.png", default="data.png", help="the picture; data.png by default")
    options.add_argument("--samples", type=int, metavar="N", default=16, help="samples in the picture; 16 by default")
    options.add_argument("--predictions", metavar="FILE.h5", help="predictions of the test set, for the picture")
    options.add_argument("--json", action="store_true", help="for programs instead of for people")
    options.add_argument("--limit", type=int, metavar="N", help="samples of each set to look at, evenly chosen")
    given = options.parse_intermixed_args(list(arguments))
    for option in ("limit", "samples"):
        if (number := getattr(given, option)) is not None and number < 1:
            raise ConfigError(f"--{option} must be a positive integer, got {number}")
    if not given.sheet.lower().endswith(".png"):
        raise ConfigError(f"--sheet must be a file that ends in .png, got {given.sheet}")
    loaded, changes = loaded_configuration(given)
    composed = translate.compose(loaded, changes)
    for problem in [*loaded.warnings, *composed.notices]:
        print(f"Warning: {problem}", file=sys.stderr)
    with composed.places():
        lenient = {**composed.values["data"], "on_bad_sample": "skip"}  # all faults are told, not the first alone
        data = opened_data({**composed.values, "data": lenient})
        sets = {which: dataset for which in SETS if (dataset := getattr(data, which)) is not None}
        surveys = {which: survey(dataset, given.limit) for which, dataset in sets.items()}
        drawn = _draw(sets, composed.values.get("seed", 0), given)
    if given.json:
        print(json.dumps(_facts(surveys, given.sheet if drawn else None), indent=2))
    else:
        for which, found in surveys.items():
            _show(SETS[which], found)
        _tell(surveys)
        if drawn:
            print(f"Picture of {drawn} sample{'s' if drawn > 1 else ''}: {given.sheet}")
    return DataError.exit_code if any(found.faults or found.misfits for found in surveys.values()) else 0


def _draw(sets: Mapping[str, Dataset], seed: int, given: Namespace) -> int:
    """The picture: samples of the training set, or of the test set with predictions; how many."""
    if given.predictions is None:
        return draw_sheet(next(iter(sets.values())), given.sheet, seed=seed, samples=given.samples)
    if "test" not in sets:
        raise ConfigError("--predictions needs a test set; name it as data.test_input_path")
    file = Path(given.predictions)
    epoch = re.search(r"_(\d+)$", file.stem)  # of random patches, which tests have too
    keys = {"seed": seed, "samples": given.samples, "epoch": int(epoch[1]) if epoch else 1}
    with predictions_of(file) as predicted:
        drawn = draw_sheet(sets["test"], given.sheet, predicted=predicted, **keys)
        names = [] if drawn else _volumes(sets["test"].inputs.source)
        volumes = [name for name in names if predicted(name) is not None]
    if volumes:
        raise DataError(
            f"{file}: holds a volume put together from slices, `{volumes[0]}`, which this command does not draw; name "
            "the slices, `output_<epoch>.h5` in `data.test_output_path`, or draw a section of the volume as "
            "`picture.py` of `rmldnn recipes copy segmentation/seismic` does"
        )
    if not drawn:
        raise DataError(f"{file}: has predictions of none of the test samples, such as `{sets['test'].names[0]}`")
    return drawn


def _volumes(source: Source) -> list[str]:
    """What `data.hdf5_outfile` calls the volumes that it puts together from slices; none if there are no slices."""
    if not isinstance(source, Sliced):
        return []
    sets = [made.name for made in source.slicers]
    return [*sets, *(f"{array}/{name}" for array in source.arrays.names for name in sets)]


def _sides(found: Survey) -> dict[str, Facts]:
    return {"input": found.inputs} | ({"target": found.targets} if found.targets else {})


def _show(title: str, found: Survey) -> None:
    part = "" if found.seen == found.count else f", of which {found.seen:,} were looked at"
    sides = _sides(found)
    shapes = [
        (role, facts.kind, _shape(shape), dtype, f"{count:,}")
        for role, facts in sides.items()
        for (shape, dtype), count in facts.shapes.most_common()
    ]
    print_table(
        f"{title}: {found.count:,} {found.inputs.noun}{part}",
        ["Side", "Type", "Shape (channels last)", "Numbers", ">Samples"],
        _cut(shapes, 5),
    )
    values = [
        (role, str(channel), *(f"{numbers[channel]:.5g}" for numbers in (one.low, one.high, one.mean, one.deviation)))
        for role, facts in sides.items()
        for one in facts.values.values()
        for channel in range(len(one.mean))
    ]
    if values:
        scaled = any(facts.meaning == "pixels" and facts.values for facts in sides.values())
        print_table(
            "Values" + (", pixels scaled to [0, 1]" if scaled else ""),
            ["Side", ">Channel", ">Smallest", ">Largest", ">Mean", ">Deviation"],
            _cut(values, 6),
        )
    if found.targets and found.targets.classes:
        counts = _classes(found)
        whole = sum(count for *_, count, _ in counts)
        maps = found.targets.meaning != "boxes" and any(len(shape) > 1 for shape, _ in found.targets.shapes)
        things = "Boxes" if found.targets.meaning == "boxes" else "Pixels" if maps else "Samples"
        rows = [
            (str(index), name, f"{count:,}", f"{count / whole:.2%}", first if maps else "")
            for index, name, count, first in counts
        ]
        head = [">Index", "Name", f">{things}", ">Share", "First in" if maps else ""]
        print_table("Classes", head, _cut(rows, 5))


def _classes(found: Survey) -> list[tuple[int, str, int, str]]:
    """Index, name and number of every class that occurs or is known, and where it occurs first."""
    counts, first = (found.targets.classes, found.targets.first) if found.targets else (Counter[int](), {})
    names = dict(enumerate(found.class_names))
    return [(index, names.get(index, ""), counts[index], first.get(index, "")) for index in sorted({*counts, *names})]


def _tell(surveys: Mapping[str, Survey]) -> None:
    """What is wrong, all of it, and what might be."""
    for which, found in surveys.items():
        if found.faults:
            print_table(
                f"{SETS[which]}: {len(found.faults):,} cannot be used", [""], [(text,) for text in found.faults]
            )
        for misfit in found.misfits:
            print(f"Error: {misfit}\n")
    for warning in _warnings(surveys):
        print(f"Warning: {warning}\n")


def _warnings(surveys: Mapping[str, Survey]) -> list[str]:
    warnings = []
    for which, found in surveys.items():
        words = SETS[which].lower()
        if found.duplicates:
            warnings.append(f"the {words} holds the same more than once:{_groups(found.duplicates)}")
        if found.unequal:
            more = f" and {len(found.unequal) - 1:,} more" if len(found.unequal) > 1 else ""
            warnings.append(f"in the {words} a target has another extent than its input: {found.unequal[0]}{more}")
        if found.distorted:
            more = f" and {len(found.distorted) - 1:,} more" if len(found.distorted) > 1 else ""
            warnings.append(
                f"in the {words} a target has other proportions than its input, although transforms make them of one "
                f"extent: {found.distorted[0]}{more}; look whether they lie on one another"
            )
        if found.doubts:
            more = f"\n  and {len(found.doubts) - _ROWS:,} more" if len(found.doubts) > _ROWS else ""
            warnings.append("\n  ".join(found.doubts[:_ROWS]) + more)
        if gap := _gap(found, words):
            warnings.append(gap)
        empty = [name or str(index) for index, name, count, _ in _classes(found) if not count]
        if empty:
            things = "box" if found.targets and found.targets.meaning == "boxes" else "sample"
            warnings.append(f"the {words} has no {things} of: {', '.join(empty)}")
    if len(surveys) > 1 and (shared := surveys["train"].shared(surveys["test"])):
        warnings.append(
            f"{len(shared):,} {'sample is' if len(shared) == 1 else 'samples are'} in both sets, which makes results "
            f"on the test set look better than they are:{_groups(shared)}"
        )
    return warnings


def _gap(found: Survey, words: str) -> str:
    """That class indices of maps jump, as those of a mask in black and white do; empty if they do not."""
    targets = found.targets
    if targets is None or targets.meaning == "boxes" or found.class_names:
        return ""
    if not any(len(shape) > 1 for shape, _ in targets.shapes):
        return ""
    present = sorted(targets.classes)
    before, after = next(((one, other) for one, other in pairwise([-1, *present]) if other > one + 1), (0, 0))
    if not after:
        return ""
    few = targets.kind == "masks" and len(present) < _ROWS
    return (
        f"in the {words} {targets.classes[after]:,} pixels are of class {after}, first in {targets.first[after]}, but "
        f"none of class {before + 1}{f' to {after - 1}' if after > before + 2 else ''}"
        f"{f'; list what is stored as `values`: {present}' if few else ''}; or name an index that means `no class` as "
        "`loss.ignore_index`"
    )


def _groups(groups: Sequence[Sequence[str]]) -> str:
    shown = "".join(f"\n  {' = '.join(group[:6])}{' = ...' if len(group) > 6 else ''}" for group in groups[:_ROWS])
    return shown if len(groups) <= _ROWS else f"{shown}\n  and {len(groups) - _ROWS:,} more"


def _cut(rows: Sequence[Sequence[str]], columns: int) -> list[Sequence[str]]:
    """The first rows of a table that may be long."""
    if len(rows) <= _ROWS:
        return list(rows)
    return [*rows[: _ROWS - 1], (f"and {len(rows) - _ROWS + 1:,} more", *[""] * (columns - 1))]


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _facts(surveys: Mapping[str, Survey], sheet: str | None) -> dict[str, Any]:
    """All that was found, for programs."""
    shared = surveys["train"].shared(surveys["test"]) if len(surveys) > 1 else []
    return {
        "sets": {which: _set(found) for which, found in surveys.items()},
        "duplicates_across_sets": shared,
        "warnings": _warnings(surveys),
        "sheet": sheet,
    }


def _set(found: Survey) -> dict[str, Any]:
    return {
        "samples": found.count,
        "looked_at": found.seen,
        "sides": {role: _side(facts) for role, facts in _sides(found).items()},
        "classes": [
            {"index": index, "name": name or None, "count": count, "first": first or None}
            for index, name, count, first in _classes(found)
        ],
        "unusable": found.faults,
        "misfits": found.misfits,
        "duplicates": found.duplicates,
        "different_extents": found.unequal,
        "different_proportions": found.distorted,
    }


def _side(facts: Facts) -> dict[str, Any]:
    return {
        "type": facts.kind,
        "meaning": facts.meaning,
        "shapes": [
            {"shape": list(shape), "dtype": dtype, "samples": count}
            for (shape, dtype), count in facts.shapes.most_common()
        ],
        "values": [
            {
                "channels": channels,
                "min": one.low.tolist(),
                "max": one.high.tolist(),
                "mean": one.mean.tolist(),
                "std": one.deviation.tolist(),
            }
            for channels, one in facts.values.items()
        ],
    }
