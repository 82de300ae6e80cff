"""`rmldnn translate`: a configuration as Hydra has it, which composes with groups and presets."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from rmldnn.config import groups, spec
from rmldnn.config.describe import as_yaml
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.verbs import parser

DESCRIPTION = """\
Writes a configuration as Hydra has it: a list of defaults that chooses components, and values.

  rmldnn translate config.json --out my_conf/     writes my_conf/config.yaml
  rmldnn my_conf/                                 runs as config.json does

A file of a group of your own beside it, such as my_conf/loss/mine.yaml, is chosen by `override /loss: mine`."""


def main(arguments: Sequence[str]) -> int:
    """Writes the file; returns the exit code."""
    options = parser("translate", "CONFIG --out FOLDER", DESCRIPTION)
    options.add_argument("file", metavar="CONFIG", help="configuration file")
    options.add_argument("--app", metavar="NAME", help="the task, whatever the file says: dnn, pde, gan, obj")
    options.add_argument("--out", required=True, metavar="FOLDER", help="where `config.yaml` is written")
    options.add_argument("--force", action="store_true", help="replace a file that is there")
    given = options.parse_args(list(arguments))
    loaded = spec.load(given.file, task=given.app)
    path = Path(given.out) / spec.HYDRAS
    if path.exists() and not given.force:
        raise ConfigError(f"`{path}` is there already; --force replaces it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(_text(loaded, given.file), encoding="utf-8")
    except OSError as error:
        raise RmldnnError(f"cannot write `{path}`: {error.strerror or error}") from error
    print(f"{path}: run it by `rmldnn {given.out}`")
    return 0


def _text(loaded: spec.Spec, file: str) -> str:
    values = copy.deepcopy(loaded.values)
    chosen = groups.choices(values)
    listed = [groups.ALL_OF_OURS, *groups.defaults(chosen)]
    return f"# What {Path(file).name} says\n{as_yaml({groups.DEFAULTS: listed, **values})}"
