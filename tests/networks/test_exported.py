"""Keys of exports that mean nothing are passed over only while they mean nothing."""

import pytest

from rmldnn.networks.exported import HARMLESS, judge


@pytest.mark.parametrize("key", sorted(HARMLESS))
def test_null_is_harmless(key):
    assert not list(judge({key: None}, "conv"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("dtype", "float32"), ("dtype", {"class_name": "DTypePolicy", "config": {"name": "float32"}}), ("seed", 3)],
)
def test_usual_values_are_harmless(key, value):
    assert not list(judge({key: value}, "conv"))


@pytest.mark.parametrize(("key", "mild"), [("kernel_constraint", True), ("data_format", False)])
def test_only_what_leaves_the_network_alone_may_be_ignored(key, mild):
    (problem,) = judge({key: "x"}, "conv")
    assert (problem.path, problem.mild) == (f"conv.{key}", mild)


@pytest.mark.parametrize("config", [[1], "float16", 3])
def test_an_odd_dtype_is_refused(config):
    (problem,) = judge({"dtype": {"config": config}}, "conv")
    assert problem.path == "conv.dtype"
