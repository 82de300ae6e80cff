"""How processes share what they keep: the section `engine`, and the configuration of DeepSpeed that follows from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rmldnn.component import component
from rmldnn.engine.compute import Compute, Precision
from rmldnn.types import Count, Path

BUFFERS = 5
"""Tensors of `nvme` in memory at once: a weight, its gradient, and what an optimizer keeps, at most three numbers."""

MICRO_BATCH = "train_micro_batch_size_per_gpu"
"""A setting that DeepSpeed insists on, and that nothing depends on, as losses weigh the samples."""


@component("engine")
def engine(
    deepspeed: Mapping[str, Any] | None = None,
    *,
    zero: Literal[0, 1, 2, 3] = 0,
    offload: Literal["cpu", "nvme"] | None = None,
    offload_path: Path | None = None,
    overlap: bool = True,
    bucket_size: Count = 6_500_000,
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] | None = None,
) -> Zero:
    """How the processes of a run share the work of DeepSpeed.

    Args:
        deepspeed: The section of that name: settings of DeepSpeed as its documentation has them, laid over ours.
        zero: What each process keeps only a part of (ZeRO, Rajbhandari et al. 2020): 0 nothing, every process has all;
            1 what the optimizer keeps, two numbers for each weight with Adam; 2 the gradients as well; 3 the weights
            as well, which are brought together layer by layer.
        offload: Where what the optimizer keeps lies, instead of the memory of the GPU: `cpu` is the machine's memory,
            `nvme` a fast disk, with `zero` 3 only. With `zero` 3 the weights are in the machine's memory then. Slower,
            in much less memory.
        offload_path: Folder for `nvme`, on a disk of each machine; what is put there is taken away again. By default
            `/tmp/rmldnn-1000`, with the number of the user, as fast disks of compute nodes are there as a rule.
        overlap: Sums up gradients while others are still computed; with `zero` 1 to 3 on GPUs only.
        bucket_size: Numbers that are sent at once; more take more memory, fewer more messages.
        precision: The same as `precision` at the top level.
    """
    offload_path = offload_path or f"/tmp/rmldnn-{os.getuid()}"  # noqa: S108 - a folder of the user's own
    return Zero(zero, offload, offload_path, overlap, bucket_size, precision, deepspeed or {})


@dataclass(frozen=True)
class Zero:
    """What processes share; see `engine` for the meaning of the values."""

    stage: int = 0
    offload: str | None = None
    offload_path: str = ""
    overlap: bool = True
    bucket_size: int = 6_500_000
    precision: Precision | Literal["auto"] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether one process needs DeepSpeed too."""
        return self.stage > 0 or bool(self.raw)

    @property
    def overlapping(self) -> bool:
        """Whether gradients are summed up by `Buckets` in place of DeepSpeed, which has no overlap in stage 0."""
        return self.stage == 0 and self.overlap and not _OF_THE_SUM & self.raw.keys()

    def precise(self, compute: Compute) -> Compute:
        """How to compute, where it is this section that names a precision."""
        return compute if self.precision is None else replace(compute, precision=self.precision)

    def rows(self) -> list[tuple[str, object]]:
        """How the log describes it."""
        rows: list[tuple[str, object]] = [("ZeRO stage", self.stage)] if self.stage else []
        return [*rows, ("Offload", self.offload)] if self.offload else rows

    def settings(self, world: int, accumulate: int, clip: float | None, *, on_gpu: bool) -> dict[str, Any]:
        """The configuration of DeepSpeed.

        Args:
            world: Number of processes.
            accumulate: Batches to an update.
            clip: Longest gradient, which DeepSpeed cuts at stages 1 to 3.
            on_gpu: Whether the run computes on GPUs.
        """
        optimization: dict[str, Any] = {"stage": self.stage}
        if self.stage:
            optimization |= {
                "overlap_comm": self.overlap and on_gpu and world > 1,  # it waits for the device now and then
                "reduce_bucket_size": self.bucket_size,
                "allgather_bucket_size": self.bucket_size,
            }
        if self.stage == 3:
            del optimization["allgather_bucket_size"]
            optimization["stage3_param_persistence_threshold"] = 0  # small weights are no exception, so that all move
        if self.offload:
            optimization["offload_optimizer"] = {"device": self.offload, "pin_memory": on_gpu}
            if self.stage == 3:
                optimization["offload_param"] = {"device": "cpu", "pin_memory": on_gpu}
        if self.offload == "nvme":
            optimization["offload_optimizer"] |= {"nvme_path": self.offload_path, "buffer_count": BUFFERS}
            optimization["sub_group_size"] = 1  # each weight for itself
        ours = {
            MICRO_BATCH: 1,
            "gradient_accumulation_steps": accumulate,
            "gradient_clipping": (self.stage and clip) or 0.0,  # by default DeepSpeed clips the norm to 1, unasked
            "steps_per_print": None,
            "timers": {"throughput": {"enabled": False}},  # which nobody reads, and which waits for the device
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "zero_optimization": optimization,
        }
        return _over(ours, self.raw)


_OF_THE_SUM = {"comms_logger", "communication_data_type", "gradient_predivide_factor", "prescale_gradients"}
"""What the section `deepspeed` may say of the sum of gradients, so that it must be DeepSpeed's."""


def _over(ours: dict[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """One tree of settings laid over another."""
    result = dict(ours)
    for key, value in raw.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = _over(result[key], value) if both else value
    return result
