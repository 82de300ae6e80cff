"""`rmldnn network`: the network file of a known family."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rmldnn.config import catalog
from rmldnn.disk import replacing
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem, RmldnnError
from rmldnn.networks.graph import Graph
from rmldnn.networks.writing import write
from rmldnn.output.tables import print_table
from rmldnn.types import describe
from rmldnn.verbs import parser

DESCRIPTION = """\
Writes the Keras JSON of a network of a known family. Without a name it lists the families.

  rmldnn network                                                      the families
  rmldnn network unet                                                 the keys of one
  rmldnn network unet backbone=resnet34 num_classes=3 --out net.json  a network file"""


def main(arguments: Sequence[str]) -> int:
    """Lists, explains or writes; returns the exit code."""
    options = parser("network", "[FAMILY [KEY=VALUE ...] [--out FILE]]", DESCRIPTION)
    options.add_argument("words", nargs="*", metavar="FAMILY KEY=VALUE", help="the family, then its keys")
    options.add_argument("--out", metavar="FILE", help="where to write; - is standard output")
    given = options.parse_intermixed_args(list(arguments))
    names = [word for word in given.words if "=" not in word]
    keys = dict(_pair(word) for word in given.words if "=" in word)
    if len(names) > 1:
        raise ConfigError(f"takes one family, got {', '.join(names)}; keys are written key=value")
    if not names:
        _list()
        return 0
    if given.out is None and not keys:
        _explain(names[0])
        return 0
    if given.out is None:
        raise ConfigError("where to? add --out net.json, or --out - for standard output")
    made = graph(names[0], keys)
    _require_sound(made)
    text = json.dumps(write(made), indent=1) + "\n"
    if given.out == "-":
        sys.stdout.write(text)
    else:
        _save(Path(given.out), text)
        print(given.out)
    return 0


def graph(family: str, keys: Mapping[str, Any], place: str = COMMAND_LINE) -> Graph:
    """The network of a family.

    Args:
        family: Its name, matched without regard to case.
        keys: Its keys and their values.
        place: Where these come from, for messages.

    Raises:
        ConfigError: No such family, or its keys are wrong; carries all problems.
    """
    form = catalog.find("zoo", family)
    if form is None:
        raise ConfigError(
            Problem("network", f"there is no network family `{family}`{catalog.suggest('zoo', family)}", place)
        )
    if problems := [Problem(one.path, one.message, place) for one in form.check(keys, f"network {form.name}")]:
        raise ConfigError(problems)
    made: Graph = form.load()(**keys)
    return made


def _require_sound(made: Graph) -> None:
    """Refuses what only building finds, such as an unknown activation; nothing is allocated."""
    import torch

    from rmldnn.networks.compile import build

    with torch.device("meta"):
        build(made)


def _pair(word: str) -> tuple[str, Any]:
    key, _, value = word.partition("=")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _list() -> None:
    rows = [(form.name, form.doc.partition("\n")[0]) for form in catalog.group("zoo").values()]
    print_table("", ["Family", "What it is"], rows)
    print("rmldnn network FAMILY shows the keys of one.")


def _explain(family: str) -> None:
    form = catalog.find("zoo", family)
    if form is None:
        raise ConfigError(f"there is no network family `{family}`{catalog.suggest('zoo', family)}")
    print(form.doc.partition("\n")[0] + "\n")
    rows = [
        (name, "required" if one.required else json.dumps(one.default), describe(one.annotation))
        for name, one in form.parameters.items()
    ]
    print_table("", ["Key", "Default", "Value"], rows)
    print(f"rmldnn network {form.name} KEY=VALUE ... --out net.json writes the network file.")


def _save(path: Path, text: str) -> None:
    """Writes the file entirely or not at all."""
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RmldnnError(f"cannot write `{path}`: {error.strerror or error}") from error
