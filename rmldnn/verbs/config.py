"""`rmldnn config`: a configuration as it is once everything is filled in, and what DeepSpeed gets of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rmldnn.config import spec, translate
from rmldnn.config.check import Values
from rmldnn.config.describe import as_yaml
from rmldnn.config.instantiate import instantiate
from rmldnn.engine.zero import Zero
from rmldnn.errors import ConfigError, Problem
from rmldnn.verbs import configuration, parser

DESCRIPTION = """\
Prints a configuration with every default filled in, as a run would take it.

  rmldnn config config.json optimizer=adam        ... with some values changed
  rmldnn config config.json --deepspeed           what DeepSpeed gets of it"""


def main(arguments: Sequence[str]) -> int:
    """Prints the configuration; returns the exit code."""
    options = parser("config", "[options] CONFIG [KEY=VALUE ...]", DESCRIPTION)
    options.add_argument("words", nargs="*", metavar="CONFIG [KEY=VALUE ...]", help="configuration file, then changes")
    options.add_argument("--deepspeed", action="store_true", help="print the configuration of DeepSpeed, as JSON")
    options.add_argument("--procs", type=int, default=1, metavar="N", help="of so many processes (1)")
    options.add_argument("--lenient", action="store_true", help="unknown keys of layers are warnings")
    given = options.parse_intermixed_args(list(arguments))
    if given.procs < 1:
        raise ConfigError(Problem("--procs", f"must be a positive integer, got {given.procs}", "command line"))
    file, changes = configuration(given.words)
    composed = translate.compose(spec.load(file, lenient=given.lenient), changes).values
    if given.deepspeed:
        print(json.dumps(_of_deepspeed(composed, given.procs), indent=2))
    else:
        print(as_yaml({"neural_network": composed}), end="")
    return 0


def _of_deepspeed(composed: Values, processes: int) -> dict[str, object]:
    zero: Zero = instantiate(translate.job(composed)["engine"])
    clip = composed.get("gradient_clip") if zero.stage else None  # at stage 0 we cut it by ourselves
    import torch  # half a second, for this question

    return zero.settings(processes, composed.get("accumulate", 1), clip, on_gpu=torch.cuda.is_available())
