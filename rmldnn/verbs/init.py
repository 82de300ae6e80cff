"""`rmldnn init`: a first configuration for a folder of data, and the answers to some questions."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from rmldnn.config.drafting.draft import draft
from rmldnn.config.drafting.facts import Draft, Extent, Facts, Wishes
from rmldnn.config.drafting.sizes import extent, networks, num_epochs, wishes
from rmldnn.config.writing import text
from rmldnn.data.anchors import anchors, box_sizes
from rmldnn.data.layouts.find import KNOWN, find, given
from rmldnn.data.layouts.layout import Layout
from rmldnn.data.splitting import divided, require_movable
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.look import boxes_of, look, moved, quiet
from rmldnn.looking.measuring import Look
from rmldnn.output.places import writing
from rmldnn.verbs import check, parser
from rmldnn.verbs.asking import Asking, count, fraction, one_of

DESCRIPTION = f"""\
Looks at a folder of data, asks a few questions, and writes a configuration that trains on it.

  rmldnn init data/                              asks; Enter takes what stands in brackets
  rmldnn init data/ --yes                        asks nothing
  rmldnn init data/ --network resnet34 --size 128 --epochs 40
  rmldnn init --input scans/ --target masks/     for data that lies in any other way

What a folder may hold:

{KNOWN}

Without a test set, every fifth sample is put aside for one: `split/` gets links to all samples, which stay where they
are. The exit code is that of `rmldnn check`, which has the last word."""

SPLIT = Path("split")
TASKS = ("classification", "regression", "segmentation", "image-to-image", "detection")
_ANCHORS = 9
_FRACTION = 0.2


def main(arguments: Sequence[str]) -> int:
    """Looks, asks and writes; returns the exit code."""
    options = parser("init", "[options] FOLDER", DESCRIPTION)
    options.add_argument("folder", nargs="?", metavar="FOLDER", help="the data")
    for name, what in (
        ("input", "inputs"),
        ("target", "targets"),
        ("test-input", "inputs of the test set"),
        ("test-target", "targets of the test set"),
    ):
        options.add_argument(f"--{name}", metavar="PATH", help=f"{what}, instead of FOLDER")
    options.add_argument("--task", choices=TASKS, help="what is to be learned")
    options.add_argument("--network", metavar="FAMILY", help="the network")
    options.add_argument("--size", metavar="WxH", help="what samples are made: 224 or 224x160, 64x64x64 for volumes")
    options.add_argument("--epochs", type=int, metavar="N", help="how often each sample is seen")
    options.add_argument("--batch-size", type=int, metavar="N", help="samples of an update")
    options.add_argument(
        "--test-fraction", type=float, metavar="X", help="part put aside without a test set; 0.2, or 0"
    )
    options.add_argument("--samples", choices=("arrays", "rows"), help="whether a sample is an array, or a row of one")
    options.add_argument("--columns", metavar="A,B", help="the columns of a table that are targets")
    options.add_argument("--out", metavar="FILE.json", help="the configuration; config.json by default")
    options.add_argument("--yes", action="store_true", help="ask nothing")
    options.add_argument("--force", action="store_true", help="replace the file, and links of an earlier test set")
    wanted = options.parse_args(list(arguments))
    _require_sensible(wanted)
    ask = Asking(silent=wanted.yes or not sys.stdin.isatty())
    try:
        return _init(wanted, ask)
    except EOFError:
        print()
        raise KeyboardInterrupt from None


def _require_sensible(wanted: Namespace) -> None:
    if (wanted.folder is None) == (wanted.input is None):
        raise ConfigError("name a folder of data: rmldnn init data/, or its parts by --input and --target")
    for option in ("target", "test_input", "test_target"):
        if getattr(wanted, option) is not None and wanted.input is None:
            raise ConfigError(f"--{option.replace('_', '-')} goes with --input, instead of a folder")
    for option in ("epochs", "batch_size"):
        if (number := getattr(wanted, option)) is not None and number < 1:
            raise ConfigError(f"--{option.replace('_', '-')} must be a positive integer, got {number}")
    if wanted.test_fraction is not None and not 0 <= wanted.test_fraction < 1:
        raise ConfigError(f"--test-fraction must be a number at least 0 and less than 1, got {wanted.test_fraction}")
    if wanted.out is not None and not wanted.out.lower().endswith(".json"):
        raise ConfigError(f"--out must be a file that ends in .json, got {wanted.out}")
    if wanted.size is not None and not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){0,2}", wanted.size):
        raise ConfigError(f"--size must be a number of pixels, or several as in 224x160, got {wanted.size}")


def _init(wanted: Namespace, ask: Asking) -> int:
    if ask.silent:
        _require_free(Path(wanted.out or "config.json"), force=wanted.force)
    with quiet():
        layout = _layout(wanted, ask)
        keys = {"columns": wanted.columns.split(",")} if wanted.columns else {}
        keys |= {"samples": wanted.samples} if wanted.samples else {}
        seen = look(layout, wanted.task, keys)
        if seen.others:
            tasks = (seen.facts.task, *seen.others)
            task = ask(f"Task, {' or '.join(tasks)}", tasks[0], one_of(tasks))
            seen = look(layout, task, keys) if task != tasks[0] else seen
        _tell(layout, seen)
        part = _part(wanted, layout, seen, ask)
        wish = _wishes(wanted, seen.facts, ask)
        out = _out(wanted, ask)
        aside = divided(seen.train, layout.train, part, SPLIT, replaced=wanted.force) if part else nullcontext()
        with writing(str(out), key="--out"), replacing(out) as partial, aside as sets:
            facts = seen.facts if sets is None else moved(seen.facts, *sets)
            made = draft(facts, wish, metrics=find_spec("torchmetrics") is not None)
            if facts.task == "detection":
                _anchor(made, seen, wish)
            partial.write_text(text(made.values, made.remarks), encoding="utf-8")
    if sets is not None:
        print(f"{SPLIT}/: {sets[2]:,} samples for training, {sets[3]:,} put aside for the test")
    print(f"{out}: {wish.network}, {wish.num_epochs} epochs")
    code = check.main([str(out)])
    _tell_next(out, facts, anchored="anchors" in str(made.values["loss"]))
    return code


def _layout(wanted: Namespace, ask: Asking) -> Layout:
    if wanted.folder is None:
        return given(wanted.input, wanted.target, wanted.test_input, wanted.test_target)
    layouts = find(wanted.folder)
    if len(layouts) == 1:
        return layouts[0]
    print(f"{wanted.folder} may be understood in {len(layouts)} ways:")
    for number, one in enumerate(layouts, start=1):
        print(f"  {number}: {_described(one)}")
    if ask.silent:
        print("The first is taken; --input and --target name another")
    numbers = [str(number) for number in range(1, len(layouts) + 1)]
    return layouts[int(ask("Which of them", "1", one_of(numbers))) - 1]


def _described(layout: Layout) -> str:
    where = layout.train.input if layout.train.target is None else f"{layout.train.input} with {layout.train.target}"
    kinds = {"folders": "folders of classes", "table": "a table", "pairs": "pairs", "boxes": "boxes"}
    return f"{kinds[layout.form]}, {where}"


def _tell(layout: Layout, seen: Look) -> None:
    facts = seen.facts
    if not facts.axes:
        what = f"rows of {facts.channels} numbers"
    else:
        low, high = (_sides(facts, one) for one in (facts.least, facts.most))
        extents = low if low == high else f"{low} to {high}"
        what = f"{'picture' if facts.pixels else 'array'}{'s' if facts.samples > 1 else ''} of {extents}"
        what += f", {facts.channels} channel{'s' if facts.channels > 1 else ''}"
    print(f"{layout.train.input}: {facts.samples:,} {what}")
    if layout.test is not None:
        print(f"{layout.test.input}: {facts.tested:,} for the test")
    names = f": {', '.join(facts.classes[:8])}{', ...' if len(facts.classes) > 8 else ''}" if facts.classes else ""
    thing, more = {"regression": ("number", "s"), "image-to-image": ("channel", "s")}.get(facts.task, ("class", "es"))
    print(f"Task: {facts.task}, {facts.outputs} {thing}{more if facts.outputs > 1 else ''}{names}")
    for note in (*layout.notes, *seen.notes):
        print(f"Note: {note}")
    for fault in seen.faults[:3]:
        print(f"Warning: {fault}", file=sys.stderr)
    if len(seen.faults) > 3:
        print(f"Warning: and {len(seen.faults) - 3} more samples that cannot be used", file=sys.stderr)
    if not networks(facts):
        raise ConfigError(
            f"{facts.task} of samples with {facts.axes} axes in space needs a network of your own (`layers`)"
        )


def _sides(facts: Facts, sides: Extent) -> str:
    """Extents as configurations have them: width first of pictures."""
    return " x ".join(map(str, sides[::-1] if facts.axes == 2 else sides))


def _part(wanted: Namespace, layout: Layout, seen: Look, ask: Asking) -> float:
    """The part of the samples that is put aside."""
    if layout.test is not None:
        return 0.0
    try:
        require_movable(seen.train)
    except DataError as error:
        if wanted.test_fraction:
            raise
        print(f"Note: there is no test set; {error}")
        return 0.0
    if wanted.test_fraction is not None:
        return float(wanted.test_fraction)

    return ask("There is no test set; part of the samples to put aside, 0 for none", str(_FRACTION), fraction)


def _wishes(wanted: Namespace, facts: Facts, ask: Asking) -> Wishes:
    known = networks(facts)
    if wanted.network is not None and wanted.network not in known:
        raise ConfigError(f"--network {wanted.network}: of {facts.task} there are {', '.join(known)}")
    network = wanted.network or known[0]
    if wanted.network is None and len(known) > 1:
        network = ask(f"Network, {', '.join(known[:-1])} or {known[-1]}", network, one_of(known))

    def sized(answer: str) -> Extent:
        if not re.fullmatch(r"[1-9]\d*( ?x ?[1-9]\d*)*", answer):
            raise ConfigError(f"must be a number of pixels, or several as in 224x160, got {answer}")
        sides = tuple(int(side) for side in re.findall(r"\d+", answer))
        sides = sides * facts.axes if len(sides) == 1 else sides
        if len(sides) != facts.axes:
            raise ConfigError(f"must be {facts.axes} numbers, got {answer}")
        return extent(facts, network, sides[::-1] if facts.axes == 2 else sides)

    size: Extent = ()
    if wanted.size is not None:
        try:
            size = sized(wanted.size)
        except ConfigError as error:
            raise ConfigError(f"--size: {error}") from None
    elif facts.axes:
        usual = extent(facts, network)
        order = "width x height" if facts.axes == 2 else "along each axis"
        shown = _sides(facts, usual)
        size = ask(f"Size of samples, {order}", shown, lambda answer: usual if answer == shown else sized(answer))

    wish = wishes(facts, network, size, wanted.epochs, wanted.batch_size)
    if wanted.epochs is None:
        usual_epochs = num_epochs(facts, wish.extent, wish.batch_size)
        wish = replace(wish, num_epochs=ask("Epochs", str(usual_epochs), count))
    return wish


def _out(wanted: Namespace, ask: Asking) -> Path:
    """The file, which is not there yet, or may be replaced."""
    out = Path(wanted.out or "config.json")
    if ask.silent or wanted.force or not out.exists():
        _require_free(out, force=wanted.force)
        return out

    def named(answer: str) -> Path:
        if answer in ("yes", "y"):
            return out
        if not answer.lower().endswith(".json"):
            raise ConfigError(f"must be yes, or a file that ends in .json, got {answer}")
        _require_free(Path(answer), force=False)
        return Path(answer)

    return ask(f"{out} is there already; yes to replace it, or another name", _free_name(out), named)


def _free_name(out: Path) -> str:
    number = 2
    while (named := out.with_name(f"{out.stem}_{number}.json")).exists():
        number += 1
    return str(named)


def _require_free(out: Path, *, force: bool) -> None:
    if out.exists() and not force:
        raise ConfigError(f"`{out}` is there already; --force replaces it, --out names another file")


def _anchor(made: Draft, seen: Look, wish: Wishes) -> None:
    """Puts anchors for the boxes of the training set into the loss, if there are enough boxes."""
    try:
        found = anchors(box_sizes(boxes_of(seen, wish.extent))[0], _ANCHORS, 0).round(1)
    except (ValueError, DataError):  # too few boxes, or faulty ones, of which the check tells
        return
    made.values["loss"]["anchors"] = [
        [int(side) if side == int(side) else side for side in pair] for pair in found.tolist()
    ]


def _tell_next(out: Path, facts: Facts, *, anchored: bool) -> None:
    print("What to type next:")
    lines = [(f"rmldnn data {out}", "look at the data as the network will see it")]
    if facts.task == "detection" and not anchored:
        lines.append((f"rmldnn anchors {out}", "sizes of boxes to start from, once there are more boxes"))
    lines.append((f"rmldnn {out}", "train"))
    width = max(len(line) for line, _ in lines)
    for line, what in lines:
        print(f"  {line:<{width}}    # {what}")
