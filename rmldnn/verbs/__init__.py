"""Commands beside a run: `rmldnn summary ...`; one module each, with a function `main(arguments) -> exit code`.

They are imported when they are called, so that `rmldnn --help` stays quick.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rmldnn.errors import ConfigError

if TYPE_CHECKING:
    from rmldnn.config.spec import Spec

VERBS = {
    "recipes": "tasks that work, to start from",
    "init": "a first configuration, from a folder of data",
    "check": "what is wrong with a run before it begins, with patches; starts nothing",
    "summary": "what a network consists of: layers, shapes, parameters, cost",
    "verify": "compare networks with the results that Keras gives",
    "data": "count and measure the data, find what is wrong with it, draw samples",
    "anchors": "find sizes of boxes for object detection to start from",
    "shard": "pack the data into tar files that stream from any file system",
    "generate": "make data of which there is a formula, such as coefficients of equations",
    "network": "write the network file of a known family, such as unet",
    "config": "a configuration with every default filled in, and where each value is from",
    "translate": "write a configuration as Hydra has it",
    "schema": "a JSON Schema, by which editors complete and judge a configuration",
    "explain": "what a key, a section or a component means, and what it may be",
    "scale": "measure a training step, and predict it on more nodes",
    "rerun": "make a run once more, as its run folder tells",
    "launch": "run on several machines, reached by ssh",
    "submit": "run as a job of SLURM, which goes on when its time is over",
}
"""What they are called, and what they do."""


PLUGINS = "plugins="


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as any other error, instead of argparse's usage dump."""

    def error(self, message: str) -> NoReturn:
        """Raises instead of leaving the program."""
        raise ConfigError(f"{message}; see {self.prog} --help")


def parser(verb: str, usage: str, description: str) -> Parser:
    """The parser of a verb, with the options that all of them have.

    Args:
        verb: Its name.
        usage: What stands behind it.
        description: What `--help` tells besides the options.
    """
    made = Parser(
        prog=f"rmldnn {verb}",
        usage=f"rmldnn {verb} {usage}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--debug", action="store_true", help="show tracebacks")
    return made


def add_configuration(options: argparse.ArgumentParser) -> None:
    """Gives a command line what names a configuration: its file, changes to it, and how it is read."""
    options.add_argument("words", nargs="*", metavar="CONFIG [KEY=VALUE ...]", help="configuration file, then changes")
    options.add_argument("--app", metavar="NAME", help="the task, whatever the file says: dnn, pde, gan, obj")
    options.add_argument("--lenient", action="store_true", help="unknown and repeated keys are warnings, not errors")


def loaded_configuration(given: argparse.Namespace) -> tuple[Spec, list[str]]:
    """The configuration that a command line names, read and checked, and the changes to it.

    Raises:
        ConfigError: Anything is wrong; carries all problems.
    """
    from rmldnn.config import spec

    file, changes = configuration(given.words)
    return spec.load(file, task=given.app, lenient=given.lenient, changes=changes), changes


def configuration(words: Sequence[str], named: str | None = None) -> tuple[str | None, list[str]]:
    """The configuration file among the words of a command line, if there is one, and the changes `KEY=VALUE` beside it.

    Args:
        words: What stands there besides options; what has an `=` is a file if there is one of that name.
        named: The file that an option gives.

    Raises:
        ConfigError: There is neither a file nor a change, or more than one file.
    """
    files = [word for word in words if ("=" not in word and not word.startswith("~")) or Path(word).is_file()]
    changes = [word for word in words if word not in files]
    _, changes = plugged(changes)
    if named:
        files.insert(0, named)
    if not files and not changes:
        raise ConfigError("name a configuration file: rmldnn config.json; see rmldnn --help")
    if len(files) > 1:
        if not Path(files[0]).exists() and (near := difflib.get_close_matches(files[0], VERBS, n=1)):
            raise ConfigError(f"there is no command `{files[0]}`; did you mean `rmldnn {near[0]}`?")
        raise ConfigError(f"takes one configuration file, got {', '.join(files)}; changes are written key=value")
    return (files[0] if files else None), changes


def plugged(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Adds the components of the modules that `plugins=[my_package.my_module]` names; no file can do so.

    Returns:
        The words that name modules, and the others.
    """
    from rmldnn.config import catalog

    named = [word for word in words if word.lstrip("+").startswith(PLUGINS)]
    for word in named:
        for module in word.partition("=")[2].strip("[]").split(","):
            catalog.plug(module.strip(" '\""))
    return named, [word for word in words if word not in named]
