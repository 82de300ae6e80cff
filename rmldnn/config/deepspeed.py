"""What the section `deepspeed` may hold: settings of DeepSpeed that it would overlook, were they misspelt.

Tests compare the names with those of the installed DeepSpeed, which is not imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import show, unknown_key
from rmldnn.errors import Problem

SETTINGS = (
    "aio", "comms_logger", "communication_data_type", "disable_allgather", "disable_python_gc", "dump_state",
    "flops_profiler", "gradient_predivide_factor", "memory_breakdown", "prescale_gradients", "steps_per_print",
    "wall_clock_breakdown", "zero_allow_untested_optimizer", "zero_force_ds_cpu_optimizer", "zero_optimization",
)  # fmt: skip
"""Settings that go to DeepSpeed as they are."""

ZERO = (
    "allgather_bucket_size", "allgather_partitions", "contiguous_gradients", "ignore_unused_parameters",
    "load_from_fp32_weights", "log_trace_cache_warnings", "memory_efficient_linear", "offload_optimizer",
    "offload_param", "overlap_comm", "override_module_apply", "parameter_alignment", "pipeline_loading_checkpoint",
    "reduce_bucket_size", "reduce_scatter", "round_robin_gradients", "stage3_allgather_sequential",
    "stage3_max_live_parameters", "stage3_max_reuse_distance", "stage3_model_persistence_threshold",
    "stage3_module_granularity_threshold", "stage3_param_persistence_threshold", "stage3_prefetch_bucket_size",
    "stage3_use_all_reduce_for_fetch_params", "sub_group_size", "use_multi_rank_bucket_allreduce",
    "zero_hpz_partition_size", "zero_quantized_gradients", "zero_quantized_nontrainable_weights",
    "zero_quantized_weights",
)  # fmt: skip
"""Settings of its `zero_optimization`."""

OURS = {
    "train_batch_size": "data.batch_size",
    "train_micro_batch_size_per_gpu": "data.batch_size",
    "gradient_accumulation_steps": "accumulate",
    "gradient_clipping": "gradient_clip",
    "optimizer": "optimizer",
    "scheduler": "optimizer.lr_scheduler",
    "fp16": "precision",
    "bf16": "precision",
    "amp": "precision",
    "torch_autocast": "precision",
    "activation_checkpointing": "activation_checkpointing",
    "compile": "compile",
    "checkpoint": "checkpoints",
    "tensorboard": "tracking",
    "wandb": "tracking",
    "comet": "tracking",
    "csv_monitor": "tracking",
}
"""What a configuration says in its own words."""


def check_settings(section: Any) -> Iterator[Problem]:
    """Every problem of the section `deepspeed`."""
    if section is None:
        return
    if not isinstance(section, Mapping):
        yield Problem("deepspeed", f"must be an object of DeepSpeed's settings, got {show(section)}")
        return
    for key in section:
        if key in OURS:
            yield Problem(f"deepspeed.{key}", f"is said by `{OURS[key]}` here, which every other part of the run obeys")
        elif key not in SETTINGS:
            yield unknown_key(key, "deepspeed", [*SETTINGS, *OURS])
    inner = section.get("zero_optimization", {})
    if not isinstance(inner, Mapping):
        yield Problem("deepspeed.zero_optimization", f"must be an object, got {show(inner)}")
        return
    for key in inner:
        if key == "stage":
            yield Problem("deepspeed.zero_optimization.stage", "is said by `engine.zero` here; move it there")
        elif key not in ZERO:
            yield unknown_key(key, "deepspeed.zero_optimization", ZERO)
