"""Commands beside a run: `rmldnn summary ...`; one module each, with a function `main(arguments) -> exit code`.

They are imported when they are called, so that `rmldnn --help` stays quick.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from rmldnn.errors import ConfigError

VERBS = {
    "summary": "what a network consists of: layers, shapes, parameters, cost",
    "verify": "compare networks with the results that Keras gives",
    "data": "count and measure the data, find what is wrong with it, draw samples",
    "shard": "pack the data into tar files that stream from any file system",
    "network": "write the network file of a known family, such as unet",
}
"""What they are called, and what they do."""


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
