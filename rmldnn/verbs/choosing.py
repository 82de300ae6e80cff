"""What `rmldnn init` lets people choose: by flags, or by questions whose answers Enter gives."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

from rmldnn.config.drafting.facts import PICTURE, Extent, Facts, Wishes
from rmldnn.config.drafting.sizes import extent, networks, num_epochs, wishes
from rmldnn.data.aside import copied, require_movable
from rmldnn.data.layouts.find import find, given
from rmldnn.data.layouts.layout import Layout
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.measuring import Look
from rmldnn.output.places import require_room, writing
from rmldnn.output.tables import bytes_
from rmldnn.verbs.asking import Asking, count, fraction, one_of

_FRACTION = 0.2
_OF_ROWS = ("hdf5", "numpy", "zarr")
_FORMS = {"folders": "folders of classes", "table": "a table", "pairs": "pairs", "boxes": "boxes"}


def require_sensible(wanted: Namespace) -> None:
    """Refuses options that exclude each other, or have no meaning.

    Raises:
        ConfigError: There is such an option.
    """
    if (wanted.folder is None) == (wanted.input is None):
        raise ConfigError("name a folder of data: rmldnn init data/, or its parts by --input and --target")
    for option, other in (("target", "input"), ("test_input", "input"), ("test_target", "input")):
        if getattr(wanted, option) is not None and getattr(wanted, other) is None:
            raise ConfigError(f"--{option.replace('_', '-')} goes with --input, instead of a folder")
    if wanted.test_target is not None and wanted.test_input is None:
        raise ConfigError("--test-target goes with --test-input, which is missing")
    for option in ("epochs", "batch_size"):
        if (number := getattr(wanted, option)) is not None and number < 1:
            raise ConfigError(f"--{option.replace('_', '-')} must be a positive integer, got {number}")
    if wanted.test_fraction is not None and not 0 <= wanted.test_fraction < 1:
        raise ConfigError(f"--test-fraction must be a number at least 0 and less than 1, got {wanted.test_fraction}")
    if wanted.out is not None and not wanted.out.lower().endswith(".json"):
        raise ConfigError(f"--out must be a file that ends in .json, got {wanted.out}")
    if wanted.size is not None and not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){0,2}", wanted.size):
        raise ConfigError(f"--size must be a number of pixels, or several as in 224x160, got {wanted.size}")


def choose_layout(wanted: Namespace, ask: Asking) -> Layout:
    """What the data is: one of the ways in which its names may be understood."""
    if wanted.folder is None:
        layout = given(wanted.input, wanted.target, wanted.test_input, wanted.test_target)
    else:
        layouts = find(wanted.folder)
        layout = layouts[0] if len(layouts) == 1 else _one_of(layouts, wanted.folder, ask)
    if wanted.columns and layout.form != "table":
        raise ConfigError(f"--columns goes with a table; here are {_described(layout)}")
    if wanted.samples and layout.input_type not in _OF_ROWS:
        raise ConfigError(f"--samples goes with arrays of HDF5, NumPy or Zarr; here are {_described(layout)}")
    return layout


def _one_of(layouts: list[Layout], folder: str, ask: Asking) -> Layout:
    print(f"{folder} may be understood in {len(layouts)} ways:")
    for number, one in enumerate(layouts, start=1):
        print(f"  {number}: {_described(one)}")
    if ask.silent:
        print("The first is taken; --input and --target name another")
    numbers = [str(number) for number in range(1, len(layouts) + 1)]
    return layouts[int(ask("Which of them", "1", one_of(numbers))) - 1]


def _described(layout: Layout) -> str:
    where = layout.train.input if layout.train.target is None else f"{layout.train.input} with {layout.train.target}"
    return f"{_FORMS[layout.form]}, {where}"


def choose_part(wanted: Namespace, seen: Look, ask: Asking) -> float:
    """The part of the samples that is put aside."""
    if seen.facts.tested:
        if wanted.test_fraction:
            place = seen.facts.data["test_input_path"]
            raise ConfigError(f"--test-fraction: there is a test set, `{place}`; leave this away")
        return 0.0
    try:
        require_movable(seen.train)
    except DataError as error:
        if wanted.test_fraction:
            raise
        print(f"Note: there is no test set; {error}")
        return 0.0
    size = copied(seen.train)
    part = wanted.test_fraction
    if part is None:
        what = f"; all {bytes_(size)} are copied" if size else ""
        part = ask(
            f"There is no test set; part of the samples to put aside, 0 for none{what}", str(_FRACTION), fraction
        )
    if part and size:
        require_room(Path(wanted.out or "").parent, size, key="--test-fraction", what="copies of rows")
    return float(part)


def choose_wishes(wanted: Namespace, facts: Facts, ask: Asking) -> Wishes:
    """The network, the size of samples, and how long is trained."""
    known = networks(facts)
    if not known:
        raise ConfigError(
            f"{facts.task} of samples with {facts.axes} axes in space needs a network of your own (`layers`)"
        )
    if wanted.network is not None and wanted.network not in known:
        raise ConfigError(f"--network {wanted.network}: of {facts.task} there are {', '.join(known)}")
    network = wanted.network or known[0]
    if wanted.network is None and len(known) > 1:
        network = ask(f"Network, {', '.join(known[:-1])} or {known[-1]}", network, one_of(known))
    wish = wishes(facts, network, _size(wanted, facts, network, ask), wanted.epochs, wanted.batch_size)
    if wanted.epochs is None:
        usual = num_epochs(facts, wish.extent, wish.batch_size)
        wish = replace(wish, num_epochs=ask("Epochs", str(usual), count))
    return wish


def _size(wanted: Namespace, facts: Facts, network: str, ask: Asking) -> Extent:
    if wanted.size is not None:
        try:
            made = _sized(wanted.size, facts, network)
            if made != _numbers(wanted.size, facts):
                print(f"Note: --size {wanted.size} becomes {sides(facts, made)}, which {network} takes")
            return made
        except ConfigError as error:
            raise ConfigError(f"--size: {error}") from None
    if not facts.axes:
        return ()
    usual = extent(facts, network)
    order = "width x height" if facts.axes == PICTURE else "along each axis"
    shown = sides(facts, usual)
    return ask(
        f"Size of samples, {order}",
        shown,
        lambda answer: usual if answer == shown else _sized(answer, facts, network),
    )


def _sized(answer: str, facts: Facts, network: str) -> Extent:
    return extent(facts, network, _numbers(answer, facts))


def _numbers(answer: str, facts: Facts) -> Extent:
    if not re.fullmatch(r"[1-9]\d*( ?x ?[1-9]\d*)*", answer):
        raise ConfigError(f"must be a number of pixels, or several as in 224x160, got {answer}")
    found = tuple(int(side) for side in re.findall(r"\d+", answer))
    found = found * facts.axes if len(found) == 1 else found
    if len(found) != facts.axes:
        raise ConfigError(f"must be {facts.axes} numbers, got {answer}")
    return found[::-1] if facts.axes == PICTURE else found


def sides(facts: Facts, extents: Extent) -> str:
    """Extents as configurations have them: width first of pictures."""
    return " x ".join(map(str, extents[::-1] if facts.axes == PICTURE else extents))


def choose_out(wanted: Namespace, ask: Asking) -> Path:
    """The file, which is not there yet, or may be replaced."""
    out = Path(wanted.out or "config.json")
    if ask.silent or wanted.force or not out.exists():
        require_free(out, force=wanted.force)
        return out

    def named(answer: str) -> Path:
        if answer in ("yes", "y"):
            return out
        if not answer.lower().endswith(".json"):
            raise ConfigError(f"must be yes, or a file that ends in .json, got {answer}")
        require_free(Path(answer), force=False)
        return Path(answer)

    return ask(f"{out} is there already; yes to replace it, or another name", _free_name(out), named)


def _free_name(out: Path) -> str:
    number = 2
    while (named := out.with_name(f"{out.stem}_{number}.json")).exists():
        number += 1
    return str(named)


def require_free(out: Path, *, force: bool) -> None:
    """Refuses a place that is taken, or cannot be written to.

    Raises:
        ConfigError: It is such a place.
    """
    if out.is_dir():
        raise ConfigError(f"`{out}` is a folder; name a file by --out")
    if out.exists() and not force:
        raise ConfigError(f"`{out}` is there already; --force replaces it, --out names another file")
    with writing(str(out), key="--out"), TemporaryFile(dir=out.parent):
        pass
