"""The section `deepspeed`, and what does not go together with `engine`."""

import re
from pathlib import Path

import pytest

from rmldnn.config.check import check
from rmldnn.config.deepspeed import OURS, SETTINGS, ZERO, check_settings


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
        ({"zero_optimization": 2}, "must be an object, got 2"),
        ([], "must be an object of DeepSpeed's settings, got []"),
    ],
)
def test_what_deepspeed_would_overlook_is_refused(section, text):
    (problem,) = problems(section)
    assert text in problem


def test_the_names_are_those_of_the_installed_deepspeed():
    config = pytest.importorskip("deepspeed.runtime.zero.config")
    fields = config.DeepSpeedZeroConfig.model_fields
    assert set(ZERO) <= {field.alias or name for name, field in fields.items()}
    folder = Path(config.__file__).parents[2]
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("**/*config*.py"))
    text += "".join(path.read_text(encoding="utf-8") for path in folder.glob("**/constants.py"))
    missing = [name for name in (*SETTINGS, *OURS) if not re.search(rf"[\"']{name}[\"']", text)]
    assert not missing


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"engine": {"offload": "cpu"}}, "engine.offload"),
        ({"engine": {"zero": 2, "offload": "nvme"}}, "engine.offload"),
        ({"engine": {"zero": 1}, "data": {"batch_size": "auto"}}, "data.batch_size"),
        ({"engine": {"zero": 3}, "compile": True}, "compile"),
        ({"engine": {"zero": 3}, "activation_checkpointing": True}, "activation_checkpointing"),
        ({"engine": {"zero": 3, "offload": "cpu"}, "ema": 0.9}, "ema"),
        ({"engine": {"zero": 3}, "data": {"hdf5_outfile": "x.h5", "input_path": "."}}, "data.hdf5_outfile"),
    ],
)
def test_what_parts_do_not_go_together_with_is_refused(values, path):
    known = {"must be", "missing", "unknown"}
    found = [one for one in check(values) if one.path == path and not any(word in one.message for word in known)]
    assert found


def test_engine_has_no_other_keys():
    assert any("did you mean `overlap`?" in one.message for one in check({"engine": {"overlapp": True}}))
