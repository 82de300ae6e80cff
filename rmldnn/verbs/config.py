"""`rmldnn config`: a configuration as it is once everything is filled in, where from, and what DeepSpeed gets of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rmldnn.config import translate
from rmldnn.config.groups import ROOT
from rmldnn.config.instantiate import instantiate
from rmldnn.config.keys import Values
from rmldnn.config.origins import Origins, with_origins
from rmldnn.engine.zero import MICRO_BATCH, Zero
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem
from rmldnn.verbs import add_configuration, loaded_configuration, parser

DESCRIPTION = """\
Prints a configuration with every default filled in, as a run would take it, and where each value comes from.

  rmldnn config config.json optimizer=adam        ... with some values changed
  rmldnn config config.json --deepspeed           what DeepSpeed gets of it"""


def main(arguments: Sequence[str]) -> int:
    """Prints the configuration; returns the exit code."""
    options = parser("config", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--deepspeed", action="store_true", help="print the configuration of DeepSpeed, as JSON")
    options.add_argument("--procs", type=int, default=1, metavar="N", help="of so many processes (1)")
    given = options.parse_intermixed_args(list(arguments))
    if given.procs < 1:
        raise ConfigError(Problem("--procs", f"must be a positive integer, got {given.procs}", COMMAND_LINE))
    loaded, changes = loaded_configuration(given)
    composed = translate.compose(loaded, changes)
    if given.deepspeed:
        _print_deepspeeds(composed.values, given.procs)
    else:
        print(with_origins({ROOT: composed.values}, Origins(loaded, composed.changes)), end="")
    return 0


def _print_deepspeeds(composed: Values, processes: int) -> None:
    """Prints what DeepSpeed gets, less what says nothing about the run, and on standard error what that is."""
    zero: Zero = instantiate(translate.job(composed)["engine"])
    import torch  # half a second, for this question

    accumulate, clip = composed.get("accumulate", 1), composed.get("gradient_clip")
    settings = zero.settings(processes, accumulate, clip, on_gpu=torch.cuda.is_available())
    del settings[MICRO_BATCH]
    left_out = f"Left out: {MICRO_BATCH}, which has no meaning here (`data.batch_size` says how large batches are)"
    if not zero.stage:
        del settings["gradient_clipping"]
        left_out += "; gradient_clipping, as rmldnn cuts gradients by itself at stage 0 (`gradient_clip`)"
    print(json.dumps(settings, indent=2))
    print(left_out, file=sys.stderr)
    if processes == 1 and not zero.wanted:
        print("One process does without DeepSpeed here; --procs 2 shows what several give it", file=sys.stderr)
