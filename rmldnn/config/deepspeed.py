"""What the section `deepspeed` may hold: DeepSpeed would overlook a misspelt setting, and end on a wrong one late.

So each setting and its type stand here. Tests compare them with the installed DeepSpeed, which takes seconds to import.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rmldnn.component import Parameter, mismatch, show, unknown_key
from rmldnn.errors import Problem
from rmldnn.types import Count, Fraction, Index, Path, Positive

Settings = Mapping[str, Any]
"""Types by name; a mapping is an object of further settings."""

_OFFLOAD_OPTIMIZER: Settings = {
    "buffer_count": Index,
    "fast_init": bool,
    "pin_memory": bool,
    "pipeline_read": bool,
    "pipeline_write": bool,
    "ratio": Fraction,
}
_OFFLOAD_PARAM: Settings = {
    "buffer_count": Index,
    "buffer_size": Index,
    "device": Literal["none", "cpu"],
    "max_in_cpu": Index,
    "pin_memory": bool,
}
_ZERO: Settings = {
    "allgather_bucket_size": Index,
    "allgather_partitions": bool,
    "contiguous_gradients": bool,
    "ignore_unused_parameters": bool,
    "load_from_fp32_weights": bool,
    "log_trace_cache_warnings": bool,
    "memory_efficient_linear": bool,
    "offload_optimizer": _OFFLOAD_OPTIMIZER,
    "offload_param": _OFFLOAD_PARAM,
    "overlap_comm": bool | None,
    "override_module_apply": bool,
    "parameter_alignment": bool,
    "pipeline_loading_checkpoint": bool,
    "reduce_bucket_size": Count,
    "reduce_scatter": bool,
    "round_robin_gradients": bool,
    "stage3_allgather_sequential": bool,
    "stage3_max_live_parameters": Index,
    "stage3_max_reuse_distance": Index,
    "stage3_model_persistence_threshold": Index,
    "stage3_module_granularity_threshold": Index,
    "stage3_param_persistence_threshold": Index,
    "stage3_prefetch_bucket_size": Index,
    "stage3_use_all_reduce_for_fetch_params": bool,
    "sub_group_size": Index,
    "use_multi_rank_bucket_allreduce": bool,
    "zero_hpz_partition_size": Index,
    "zero_quantized_gradients": bool,
    "zero_quantized_nontrainable_weights": bool,
    "zero_quantized_weights": bool,
}
SETTINGS: Settings = {
    "aio": {
        "block_size": Count,
        "intra_op_parallelism": Count,
        "overlap_events": bool,
        "queue_depth": Count,
        "single_submit": bool,
        "use_gds": bool,
    },
    "comms_logger": {"debug": bool, "enabled": bool, "prof_all": bool, "prof_ops": list[str], "verbose": bool},
    "communication_data_type": Literal["fp32", "fp16", "bf16"] | None,
    "disable_allgather": bool,
    "disable_python_gc": bool,
    "dump_state": bool,
    "flops_profiler": {
        "detailed": bool,
        "enabled": bool,
        "module_depth": int,
        "output_file": Path | None,
        "profile_step": Count,
        "recompute_fwd_factor": float,
        "top_modules": Count,
    },
    "gradient_predivide_factor": Positive,
    "memory_breakdown": bool,
    "prescale_gradients": bool,
    "steps_per_print": Count | None,
    "wall_clock_breakdown": bool,
    "zero_optimization": _ZERO,
}
"""Settings that go to DeepSpeed as they are."""

OURS: Mapping[str, Mapping[str, str]] = {
    "deepspeed": {
        "train_batch_size": "data.batch_size",
        "train_micro_batch_size_per_gpu": "data.batch_size",
        "gradient_accumulation_steps": "accumulate",
        "gradient_clipping": "gradient_clip",
        "optimizer": "optimizer",
        "zero_allow_untested_optimizer": "optimizer",
        "zero_force_ds_cpu_optimizer": "optimizer",
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
    },
    "deepspeed.zero_optimization": {"stage": "engine.zero"},
    "deepspeed.zero_optimization.offload_optimizer": {"device": "engine.offload", "nvme_path": "engine.offload_path"},
    "deepspeed.zero_optimization.offload_param": {"nvme_path": "engine.offload_path"},
}
"""By place, what a configuration says in its own words, and in which."""


def check_settings(section: Any, place: str = "deepspeed", settings: Settings = SETTINGS) -> Iterator[Problem]:
    """Every problem of the section `deepspeed`.

    Args:
        section: The section, or an object in it.
        place: Its path.
        settings: What it may hold.
    """
    if section is None and settings is SETTINGS:
        return
    if not isinstance(section, Mapping):
        yield Problem(place, f"must be an object of DeepSpeed's settings, got {show(section)}")
        return
    for key, value in section.items():
        path, ours = f"{place}.{key}", OURS.get(place, {})
        if key in ours:
            yield Problem(path, f"is said by `{ours[key]}` here, which every other part of the run obeys")
        elif key not in settings:
            yield _unknown(key, place, settings, ours)
        elif isinstance(settings[key], Mapping):
            yield from check_settings(value, path, settings[key])
        else:
            yield from mismatch(Parameter(key, settings[key]), value, path)


def _unknown(key: str, place: str, settings: Settings, ours: Mapping[str, str]) -> Problem:
    """The problem of a key that DeepSpeed does not know; one that was meant may be said elsewhere."""
    names = [*settings, *ours]
    (close,) = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6) or [""]
    if close not in ours:
        return unknown_key(key, place, names)
    message = f"`{key}`: unknown key in {place}; did you mean `{close}`? This is said by `{ours[close]}` here"
    return Problem(f"{place}.{key}", message, mild=True, key=key)
