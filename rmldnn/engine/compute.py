"""How a run computes: precision, memory formats, and what is done with a gradient before it becomes an update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch

from rmldnn.component import component
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, OpenFraction, Positive

Precision: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16"]

_AMPERE = (8, 0)
"""The first GPUs with units for bf16 and tf32."""


@component("compute")
def compute(
    *,
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = "auto",
    compile: bool = False,  # noqa: A002 - what users write
    channels_last: bool | Literal["auto"] = "auto",
    accumulate: Count = 1,
    gradient_clip: Positive | None = None,
    ema: OpenFraction | None = None,
    activation_checkpointing: bool = False,
    deterministic: bool = False,
    sync_batchnorm: bool = True,
) -> Compute:
    """How a run computes.

    Args:
        precision: Numbers that layers compute with. `fp32` are 32-bit floats. `tf32` lets GPUs since Ampere multiply
            with 10 bits of mantissa. `bf16` and `fp16` are mixed precision: weights, losses and outputs stay 32-bit,
            layers compute with 16; `fp16` scales the loss so that small gradients survive. `auto` takes `bf16` to train
            on a GPU that has it, `tf32` to predict there, and `fp32` on everything else.
        compile: Compiles the network by `torch.compile`: the first steps take a minute, later ones are faster, on GPUs
            above all.
        channels_last: Keeps weights of convolutions with the channels last in memory, as samples are; `auto` does so on
            GPUs.
        accumulate: Batches of which the gradient is taken before an update: 4 with a `batch_size` of 16 learns as 64
            does, in the memory of 16. Losses that are no mean over samples (Dice, weighted classes) are averaged.
        gradient_clip: Longest gradient: the L2 norm of the gradient of all parameters together is cut down to it.
        ema: Evaluates and saves a running mean of the weights, of which every update keeps this part, such as 0.999; at
            first less, (1 + n) / (10 + n) after n updates.
        activation_checkpointing: Keeps few of the numbers between layers for the backward pass and computes the others
            once more: much less memory, a third more time.
        deterministic: Takes only algorithms that give the same bits every time, some of which are slower; on the CPU
            all do.
        sync_batchnorm: Lets batch normalisation take mean and variance of the whole batch, whatever part of it a
            process has, so that several processes learn what one would.
    """
    return Compute(
        precision, compile, channels_last, accumulate, gradient_clip, ema, activation_checkpointing, deterministic,
        sync_batchnorm,
    )  # fmt: skip


@dataclass(frozen=True)
class Compute:
    """How to compute; see `compute` for the meaning of the values."""

    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    channels_last: bool | Literal["auto"] = False
    accumulate: int = 1
    gradient_clip: float | None = None
    ema: float | None = None
    activation_checkpointing: bool = False
    deterministic: bool = False
    sync_batchnorm: bool = True

    @property
    def autocast(self) -> torch.dtype | None:
        """The type that layers compute with where it is not that of the weights."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

    def on(self, device: torch.device, *, training: bool) -> Compute:
        """The same with every automatic value chosen, and the settings of torch made so.

        Args:
            device: Where.
            training: Whether weights are learned.

        Raises:
            ConfigError: The device lacks what is wanted.
        """
        modern = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _AMPERE
        precision = self.precision
        if precision == "auto":
            precision = ("bf16" if training else "tf32") if modern else "fp32"
        if precision == "tf32" and not modern:
            message = "is for GPUs since Ampere (A100, RTX 30), which this device is not; take `auto` or `fp32`"
            raise ConfigError(Problem("precision", message))
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
            torch.backends.cudnn.allow_tf32 = precision != "fp32"
            torch.backends.cudnn.benchmark = not self.deterministic
        if self.deterministic:
            Ranks.export_defaults(CUBLAS_WORKSPACE_CONFIG=":4096:8")  # cuBLAS asks for it
            torch.use_deterministic_algorithms(True)
        channels_last = device.type == "cuda" if self.channels_last == "auto" else self.channels_last
        return replace(self, precision=precision, channels_last=channels_last)

    def rows(self) -> list[tuple[str, object]]:
        """How the log describes it: the precision, and what was asked for besides."""
        rows: list[tuple[str, object]] = [("Precision", self.precision)]
        if self.channels_last:
            rows.append(("Channels last", True))
        for label, value in (
            ("Compiled", self.compile),
            ("Recomputed activations", self.activation_checkpointing),
            ("Deterministic", self.deterministic),
            ("Batches per update", self.accumulate if self.accumulate > 1 else None),
            ("Longest gradient", self.gradient_clip),
            ("Mean of weights", self.ema),
        ):
            if value:
                rows.append((label, value))
        return rows
