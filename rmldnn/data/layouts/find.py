"""What a folder of data holds, judged by names and suffixes, and by the first lines of JSON files and tables."""

from __future__ import annotations

from dataclasses import replace

from rmldnn.data.layouts.boxes import coco, darknet
from rmldnn.data.layouts.labelled import labelled, tags
from rmldnn.data.layouts.layout import Layout, Pair, forms
from rmldnn.data.layouts.listing import ARRAYS, Entry, entry, kind_of
from rmldnn.data.layouts.pairs import names_of_classes, pairs
from rmldnn.errors import DataError

KNOWN = """\
  classes             train/<class>/1.jpg with or without test/<class>/ (or val/, valid/); or <class>/1.jpg alone
  a table             pictures, and a .csv whose first column names them: labels.csv, or train.csv and test.csv
  pairs               images/ and masks/ (or inputs/ and targets/, scans/ and labels/, ...), below train/ and test/ or
                      above them, or as train_images/ and train_masks/; pictures, NIfTI, HDF5, NumPy or Zarr
  pairs of arrays     x_train.npy and y_train.npy, train_in.h5 and train_out.h5, ...
  boxes               pictures with COCO's annotations (instances_train.json), or images/ and labels/ of YOLO"""
_MOST = 8
"""Layouts between which somebody is asked."""
_TWO = 2
"""Folders beside each other that are rather a pair than classes."""


def find(folder: str) -> list[Layout]:
    """What a folder holds, the most probable first; more than one where names may be understood in several ways.

    Raises:
        DataError: There is no such folder, or nothing known in it; the layouts known are listed.
    """
    root = entry(folder)
    if root.kind or not root.kinds:
        raise DataError(f"`{folder}` {'is a file' if root.kind else 'holds no data'}; name a folder of data\n{_help()}")
    while True:
        if found := _ways(root):
            return found[:_MOST]
        below = [child for child in root.folders if child.kinds]
        if len(below) != 1 or set(root.own) - {"txt", "json"}:
            raise DataError(f"`{folder}`: cannot tell inputs and targets by the names in it\n{_help()}")
        root = below[0]


def _ways(root: Entry) -> list[Layout]:
    """How a folder may be understood; last by words that as well may be names of classes, where there are many."""
    paired = [*pairs(root)]
    if paired and not any(one.doubtful for one in paired):
        return paired
    others = [*darknet(root), *labelled(root)]
    try:
        others = [*coco(root), *others]
    except DataError:
        if not paired and not others:
            raise
    two = [one for one in paired if one.doubtful <= _TWO]
    return [*two, *others, *(one for one in paired if one.doubtful > _TWO)]


def given(input: str, target: str | None, test_input: str | None, test_target: str | None) -> Layout:  # noqa: A002
    """The layout of paths that somebody names.

    Raises:
        DataError: There is nothing at a path, or nothing known.
    """
    inputs = entry(input)
    kind = inputs.main("images", *ARRAYS)
    if not kind:
        raise DataError(f"--input: `{input}` holds neither pictures nor arrays")
    test = Pair(entry(test_input).path, test_target) if test_input else None
    if target is None:
        keys = tags(inputs, test)
        return Layout("folders", kind, "labels", Pair(inputs.named if keys else inputs.path), test, keys, named=True)
    targets = entry(target)
    other = targets.kind or targets.main("images", "csv", "json", "txt", *ARRAYS) or kind_of(target)
    form, types = forms(other)
    if not form:
        raise DataError(f"--target: `{target}` holds nothing known\n{_help()}")
    if test is not None and test.target is None:
        if form == "pairs":
            raise DataError("--test-target: is missing; name the targets of the test set")
        test = replace(test, target=target)  # one file may serve both sets
    names = names_of_classes(targets, inputs) if other == "txt" else {}
    return Layout(form, kind, types, Pair(inputs.path, targets.path), test, names, named=True)


def _help() -> str:
    return (
        f"These are known:\n{KNOWN}\nArrays of one file need files of their own, one for inputs and one for targets.\n"
        "Anything else can be named by --input PATH, --target PATH, --test-input PATH and --test-target PATH"
    )
