"""The command `rmldnn`: its forms, its exit codes, and errors without tracebacks.

Exit codes: 0 done, 2 the configuration is wrong, 3 the data is wrong, 130 interrupted, 128+n told to leave by signal n,
1 anything else.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import rmldnn
from rmldnn.engine.leaving import LeftError
from rmldnn.errors import ConfigError, RmldnnError, StoppedError
from rmldnn.verbs import VERBS, Parser, add_configuration, configuration, sweeping
from rmldnn.verbs.starting import add_options, processes, start

if TYPE_CHECKING:
    from rmldnn.config.spec import Spec

DESCRIPTION = """\
Trains and runs deep-learning models from one configuration file.

  rmldnn config.json                                     train, evaluate or predict, as the file says
  rmldnn config.json num_epochs=3 optimizer=adam         ... with some values changed
  rmldnn config.json +preset=fast                        ... with those of a preset
  rmldnn network=unet data=images loss=dice ...          without any file
  rmldnn config.json -m optimizer=adam,sgd               a sweep: with each of several values
  rmldnn config.json --procs 2                           ... in two processes; auto: one for each GPU
  mpirun -np 2 rmldnn config.json                        ... the same by another launcher"""

EXIT_CODES = (
    "Exit codes: 0 done, 2 the configuration is wrong, 3 the data is wrong, 130 interrupted, 128+n told to leave by "
    "signal n,\n1 anything else."
)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="rmldnn",
        usage="rmldnn [options] CONFIG [KEY=VALUE ...]\n       rmldnn VERB ...",
        description=DESCRIPTION + "".join(f"\n  rmldnn {verb:<48}{text}" for verb, text in VERBS.items()),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_configuration(parser)
    parser.add_argument("--config", metavar="FILE", help="configuration file, as the original tool takes it")
    parser.add_argument("--resume", action="store_true", help="go on with the newest state of the run folder")
    parser.add_argument(
        "--log",
        choices=("auto", "plain", "rich"),
        default="auto",
        help="plain lines for programs, rich progress for people; auto asks whether this is a terminal",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument("--version", action="version", version=f"rmldnn {rmldnn.__version__}")
    add_options(parser)
    sweeping.add_options(parser)
    sweeping.add_workers(parser)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options, the configuration file and the changes (`overrides`) of a command line.

    `--config= ./config.json`, with a blank after the sign, is what the original's tutorials write.

    Raises:
        ConfigError: The command line cannot be understood.
    """
    options = _parser().parse_intermixed_args(arguments)
    sweeping.require_multirun(options)
    options.file, options.overrides = configuration(options.words, options.config)
    if options.resume and not options.multirun:  # a sweep goes on anyhow
        options.overrides = [*options.overrides, "checkpoints.resume=auto"]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code, and prints errors to stderr without a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        if not (arguments and arguments[0] in VERBS):
            arguments = sweeping.in_our_words(arguments)
        if arguments and arguments[0] in VERBS:
            verb = import_module(f"rmldnn.verbs.{arguments[0]}")
            return int(verb.main(arguments[1:]))
        return _run(parse(arguments), arguments)
    except KeyboardInterrupt:
        print("rmldnn: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `rmldnn ... | head` has read enough
        return 1
    except LeftError as left:
        print(f"rmldnn: {left}", file=sys.stderr)
        return int(left.code or 1)
    except StoppedError as error:
        if str(error):
            print(f"rmldnn: {error}", file=sys.stderr)
        return error.exit_code
    except RmldnnError as error:
        _report(error, debug=debug)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        catalog = sys.modules.get("rmldnn.config.catalog")
        line = catalog and catalog.own_line(error)
        why = "The module is one that `plugins` names" if line else "This was not foreseen"
        said = f"{type(error).__name__}: {error}\n{why}; --debug shows where."
        print(f"rmldnn: {line}: {said}" if line else f"rmldnn: {said}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    def load() -> Spec:
        from rmldnn.config import spec

        return spec.load(options.file, task=options.app, lenient=options.lenient, changes=options.overrides)

    if options.multirun:
        return sweeping.sweep(options, load)
    if (code := processes(options.procs, arguments, load, options.overrides)) is not None:
        return code
    start(load, options.overrides, lenient=options.lenient, console=options.log, timeout=options.timeout)
    return 0


def _report(error: RmldnnError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    problems = error.problems if isinstance(error, ConfigError) else [error]
    for problem in problems:
        print(f"rmldnn: error: {problem}", file=sys.stderr)
    if len(problems) > 1:
        print(f"rmldnn: {len(problems)} problems; nothing was run", file=sys.stderr)
