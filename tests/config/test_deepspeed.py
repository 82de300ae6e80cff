"""The section `deepspeed`: names and types of settings, which are those of the installed DeepSpeed."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rmldnn.component import Parameter
from rmldnn.config.deepspeed import OURS, SETTINGS, check_settings
from rmldnn.engine.zero import Zero


def problems(section):
    return [str(problem) for problem in check_settings(section)]


def test_settings_of_deepspeed_pass():
    assert not problems({"prescale_gradients": True, "zero_optimization": {"round_robin_gradients": True}})


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"gradient_cliping": 1.0}, "did you mean `gradient_clipping`?"),
        ({"gradient_clipping": 1.0}, "is said by `gradient_clip` here"),
        ({"fp16": {"enabled": True}}, "is said by `precision` here"),
        ({"zero_optimization": {"stage": 2}}, "is said by `engine.zero` here"),
        ({"zero_optimization": {"reduce_buckt_size": 1}}, "did you mean `reduce_bucket_size`?"),
        ({"zero_optimization": {"stages": 2}}, "did you mean `stage`? This is said by `engine.zero` here"),
        ({"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}, "is said by `engine.offload` here"),
        ({"zero_optimization": {"offload_param": {"pin_memry": True}}}, "did you mean `pin_memory`?"),
        ({"aio": {"blok_size": 1}}, "did you mean `block_size`?"),
        ({"flops_profiler": {"profil_step": 1}}, "did you mean `profile_step`?"),
        ({"comms_logger": {"enable": True}}, "did you mean `enabled`?"),
        ({"zero_optimization": 2}, "must be an object of DeepSpeed's settings, got 2"),
        ({"aio": None}, "must be an object of DeepSpeed's settings, got null"),
        ([], "must be an object of DeepSpeed's settings, got []"),
    ],
)
def test_what_deepspeed_would_overlook_is_refused(section, text):
    (problem,) = problems(section)
    assert text in problem


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"zero_optimization": {"reduce_bucket_size": -5}}, "reduce_bucket_size: must be a positive integer, got -5"),
        ({"zero_optimization": {"overlap_comm": "yes"}}, 'overlap_comm: must be true or false or null, got "yes"'),
        (
            {"zero_optimization": {"offload_optimizer": {"ratio": 2}}},
            "deepspeed.zero_optimization.offload_optimizer.ratio: must be a number at least 0 and at most 1, got 2",
        ),
        ({"prescale_gradients": 1}, "deepspeed.prescale_gradients: must be true or false, got 1"),
        ({"communication_data_type": "fp8"}, 'must be one of `fp32`, `fp16`, `bf16` or null, got "fp8"'),
        ({"aio": {"queue_depth": 0}}, "deepspeed.aio.queue_depth: must be a positive integer, got 0"),
    ],
)
def test_what_deepspeed_would_refuse_is_told_with_place_and_value(section, text):
    (problem,) = problems(section)
    assert text in problem


def test_all_faults_are_told_at_once():
    section = {"aio": {"queue_depth": 0}, "zero_optimization": {"stages": 1, "reduce_scatter": 1}, "dump_stat": True}
    assert len(problems(section)) == 4


def test_the_names_are_those_of_the_installed_deepspeed():
    config = pytest.importorskip("deepspeed.runtime.zero.config")
    fields = config.DeepSpeedZeroConfig.model_fields
    assert set(SETTINGS["zero_optimization"]) <= {field.alias or name for name, field in fields.items()}
    folder = Path(config.__file__).parents[2]
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("**/*config*.py"))
    text += "".join(path.read_text(encoding="utf-8") for path in folder.glob("**/constants.py"))
    names = {*names_of(SETTINGS), *(name for ours in OURS.values() for name in ours)}
    assert not [name for name in names if not re.search(rf"[\"']{name}[\"']|^    {name}: ", text, re.MULTILINE)]


def names_of(settings):
    for name, kind in settings.items():
        yield name
        if isinstance(kind, Mapping):
            yield from names_of(kind)


def admitted(kind):
    """The extremes of the values that a type admits, or values of each kind."""
    values = [None, True, False, -1, 0, 1, 2**63 - 1, 0.5, "cpu", "none", "fp32", "bf16", "x.txt", ["all_reduce"]]
    return [value for value in values if Parameter("", kind).accepts(value)]


def each(settings, *place):
    for name, kind in settings.items():
        if isinstance(kind, Mapping):
            yield from each(kind, *place, name)
        else:
            yield from ((*place, name, value) for value in admitted(kind))


def test_what_passes_is_taken_by_the_installed_deepspeed():
    taken = pytest.importorskip("deepspeed").DeepSpeedConfig
    for *place, value in each(SETTINGS):
        if place[-1] == "use_gds":  # which asks for a GPU
            continue
        for name in reversed(place):
            value = {name: value}
        assert not problems(value)
        taken(Zero(3, "cpu", raw=value).settings(1, 1, None, on_gpu=False))
