"""The only door to DeepSpeed: imported when it is needed, made quiet, and given networks that it can take."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.compiler import undecorated
from rmldnn.engine.buckets import Buckets
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import ConfigError, Problem


def imported() -> Any:
    """DeepSpeed, which takes seconds to import, for a run that needs it."""
    if not torch.cuda.is_available():
        Ranks.export_defaults(DS_ACCELERATOR="cpu")
    import deepspeed

    for handler in logging.getLogger("DeepSpeed").handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)  # standard output is the log of the run
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # Gloo reduces well enough, and this operator would be compiled at first use: a minute, and a compiler, for nothing.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def disk_reader() -> None:
    """Loads DeepSpeed's operator for files, and compiles it where that was never done."""
    imported().ops.op_builder.AsyncIOBuilder().load(verbose=False)


def initialize(network: nn.Module, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """DeepSpeed's engine for a network and its optimizer, and its context inside of which parameters are whole.

    Raises:
        ConfigError: This version of DeepSpeed refuses the settings.
    """
    deepspeed = imported()
    _require(deepspeed, settings)
    with suppress(ImportError), undecorated():  # it would compile the steps of its own Muon, which nobody calls
        import_module("deepspeed.runtime.zero.muon.original_muon")
    engine, *_ = deepspeed.initialize(
        model=network, optimizer=optimizer, dist_init_required=False, config=dict(settings)
    )
    inner = getattr(engine.optimizer, "optimizer", optimizer)
    if inner is not optimizer:  # an Adagrad that DeepSpeed made anew, without groups and learning rates
        optimizer.state.clear()
        optimizer.state.update(inner.state)
        engine.optimizer.optimizer = optimizer
    return engine, deepspeed.zero.GatheredParameters


def _require(deepspeed: Any, settings: Mapping[str, Any]) -> None:
    """Asks the installed version, whose rules may be others than those of the configuration (`config/deepspeed.py`)."""
    try:
        deepspeed.DeepSpeedConfig(dict(settings))
    except Exception as error:  # it has no family of errors
        reason = " ".join(str(error).split()) or type(error).__name__
        words = f"DeepSpeed {deepspeed.__version__} refuses its settings ({reason})"
        message = f"{words}; `rmldnn config --deepspeed` shows them"
        raise ConfigError(Problem("deepspeed", message)) from error


def summing(engine: Any, buckets: Buckets) -> Callable[[Tensor], None]:
    """DeepSpeed's backward pass, the gradients of which are summed up by buckets."""
    engine.enable_backward_allreduce = False

    def backward(loss: Tensor) -> None:
        with buckets.summing() if engine.is_gradient_accumulation_boundary() else nullcontext():
            engine.backward(loss, scale_wrt_gas=False)

    return backward


@contextmanager
def contiguous(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Lends contiguous memory to parameters in other layouts, which DeepSpeed cannot broadcast."""
    lent = [(parameter, parameter.data) for parameter in parameters if not parameter.is_contiguous()]
    for parameter, own in lent:
        parameter.data = own.contiguous()
    yield
    for parameter, own in lent:
        own.copy_(parameter.data)
        parameter.data = own
