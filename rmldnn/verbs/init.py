"""`rmldnn init`: a first configuration for a folder of data, and the answers to some questions."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

from rmldnn.config.drafting.draft import draft
from rmldnn.config.drafting.facts import Draft, Facts, Wishes
from rmldnn.config.writing import text
from rmldnn.data.anchors import anchors, box_sizes
from rmldnn.data.layouts.find import KNOWN
from rmldnn.data.layouts.layout import Layout
from rmldnn.data.splitting import divided, place
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.look import boxes_of, look, moved, quiet
from rmldnn.looking.measuring import Look
from rmldnn.output.places import writing
from rmldnn.verbs import check, parser
from rmldnn.verbs.asking import Asking, one_of
from rmldnn.verbs.choosing import (
    choose_layout,
    choose_out,
    choose_part,
    choose_wishes,
    require_free,
    require_sensible,
)
from rmldnn.verbs.telling import tell, tell_next

DESCRIPTION = f"""\
Looks at a folder of data, asks a few questions, and writes a configuration that trains on it.

  rmldnn init data/                              asks; Enter takes what stands in brackets
  rmldnn init data/ --yes                        asks nothing
  rmldnn init data/ --network resnet34 --size 128 --epochs 40
  rmldnn init --input scans/ --target masks/     for data that lies in any other way

What a folder may hold:

{KNOWN}

Without a test set, every fifth sample is put aside for one: `split/` gets links to all samples, which stay where they
are, or copies of rows of arrays. The exit code is that of `rmldnn check`, which has the last word."""

TASKS = ("classification", "regression", "segmentation", "image-to-image", "detection")
_ANCHORS = 9


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
    options.add_argument("--force", action="store_true", help="replace the file, and the links that it reads")
    wanted = options.parse_args(list(arguments))
    require_sensible(wanted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # names of files may be any bytes
    ask = Asking(silent=wanted.yes or sys.stdin is None or not sys.stdin.isatty())
    try:
        return _init(wanted, ask)
    except EOFError:
        print()
        raise KeyboardInterrupt from None


def _init(wanted: Namespace, ask: Asking) -> int:
    require_free(Path(wanted.out or "config.json"), force=wanted.force or not ask.silent)
    with quiet():
        layout = choose_layout(wanted, ask)
        keys = {"columns": wanted.columns.split(",")} if wanted.columns else {}
        keys |= {"samples": wanted.samples} if wanted.samples else {}
        seen = look(layout, wanted.task, keys)
        if seen.others:
            tasks = (seen.facts.task, *seen.others)
            task = ask(f"Task, {' or '.join(tasks)}", tasks[0], one_of(tasks))
            seen = look(layout, task, keys) if task != tasks[0] else seen
        tell(layout, seen)
        if seen.faults:
            print("Note: runs leave out samples that cannot be read (`on_bad_sample`); better repair or remove them")
            seen = replace(seen, facts=replace(seen.facts, data={**seen.facts.data, "on_bad_sample": "skip"}))
        part = choose_part(wanted, seen, ask)
        rest = max(1, round(seen.facts.samples * (1 - part)))
        wish = choose_wishes(wanted, replace(seen.facts, samples=rest), ask)
        out = choose_out(wanted, ask)
        facts, anchored = _write(out, layout, seen, part, wish)
    print(f"{out}: {wish.network}, {wish.num_epochs} epochs")
    code = check.main([str(out)])
    if not code:
        tell_next(out, facts, anchored=anchored)
    return code


def _write(out: Path, layout: Layout, seen: Look, part: float, wish: Wishes) -> tuple[Facts, bool]:
    """Writes the configuration, and the folders of a test set; facts about the sets, and whether there are anchors."""
    folder = place(_split_of(out), replaced=out.exists())
    aside = divided(seen.train, layout.train, part, folder) if part else nullcontext()
    with writing(str(out), key="--out"), replacing(out) as partial, aside as sets:
        facts = seen.facts if sets is None else moved(seen.facts, *sets)
        made = draft(facts, wish, metrics=find_spec("torchmetrics") is not None)
        anchored = facts.task == "detection" and _anchor(made, seen, wish)
        partial.write_bytes(_encoded(text(made.values, made.remarks)))
    if sets is not None:
        print(f"{folder}/: {sets[2]:,} samples for training, {sets[3]:,} put aside for the test")
    return facts, anchored


def _split_of(out: Path) -> Path:
    """The folder for a test set beside a configuration: `split/` of `config.json`, `split_other/` of `other.json`."""
    return out.with_name("split" if out.stem == "config" else f"split_{out.stem}")


def _encoded(content: str) -> bytes:
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        name = content[content.rindex('"', 0, error.start) + 1 : content.index('"', error.end)]
        raise ConfigError(f"`{name}` is not in UTF-8, as paths in a configuration must be; rename it") from None


def _anchor(made: Draft, seen: Look, wish: Wishes) -> bool:
    """Puts anchors for the boxes of the training set into the loss, if there are enough boxes; whether there are."""
    try:
        found = anchors(box_sizes(boxes_of(seen, wish.extent))[0], _ANCHORS, 0).round(1)
    except (ValueError, DataError):  # too few boxes, or faulty ones, of which the check tells
        return False
    made.values["loss"]["anchors"] = [
        [int(side) if side == int(side) else side for side in pair] for pair in found.tolist()
    ]
    return True
