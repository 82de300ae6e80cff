"""`rmldnn schema`: a JSON Schema by which editors complete and judge a configuration while it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rmldnn.config.schema import schema
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.verbs import parser, plugged

DESCRIPTION = """\
Prints the JSON Schema (draft 2020-12) of a configuration file.

  rmldnn schema --out rmldnn.schema.json          then, as the first key of a configuration:
                                                  "$schema": "./rmldnn.schema.json"
  rmldnn schema 'plugins=[my_module]'             with components of your own"""


def main(arguments: Sequence[str]) -> int:
    """Prints or writes the schema; returns the exit code."""
    options = parser("schema", "[--out FILE] [plugins=[MODULE]]", DESCRIPTION)
    options.add_argument("plugins", nargs="*", metavar="plugins=[MODULE]", help="modules with components of your own")
    options.add_argument("--out", metavar="FILE", help="write it there, over what is there")
    given = options.parse_args(list(arguments))
    _, others = plugged(given.plugins)
    if others:
        raise ConfigError(f"takes only plugins=[MODULE], got {', '.join(others)}; see rmldnn schema --help")
    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    if given.out is None:
        print(text)
        return 0
    try:
        with replacing(Path(given.out)) as partial:
            partial.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise RmldnnError(f"cannot write `{given.out}`: {error.strerror or error}") from error
    return 0
