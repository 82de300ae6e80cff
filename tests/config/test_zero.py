"""What does not go together with `engine.zero` and `engine.offload`."""

import pytest

from rmldnn.config.check import check

TRAINS = {"input_path": "."}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"engine": {"offload": "cpu"}}, "engine.offload"),
        ({"engine": {"zero": 2, "offload": "nvme"}}, "engine.offload"),
        (
            {"engine": {"zero": 3, "offload": "nvme"}, "optimizer": {"type": "Adagrad"}, "data": TRAINS},
            "engine.offload",
        ),
        ({"engine": {"zero": 1}, "data": {"batch_size": "auto"}}, "data.batch_size"),
        ({"engine": {"zero": 1}, "multigrid": {"networks": ["a.json"]}}, "multigrid.networks"),
        ({"engine": {"zero": 3}, "compile": True}, "compile"),
        ({"engine": {"zero": 3}, "activation_checkpointing": True}, "activation_checkpointing"),
        ({"engine": {"zero": 3, "offload": "cpu"}, "ema": 0.9}, "ema"),
        ({"engine": {"zero": 3}, "data": {"hdf5_outfile": "x.h5", **TRAINS}}, "data.hdf5_outfile"),
        ({"engine": {"precision": "bf16"}, "precision": "fp16"}, "engine.precision"),
        (
            {"engine": {"zero": 2}, "deepspeed": {"zero_optimization": {"offload_optimizer": {"ratio": 0.5}}}},
            "deepspeed.zero_optimization.offload_optimizer.ratio",
        ),
    ],
)
def test_what_parts_do_not_go_together_with_is_refused(values, path):
    known = {"must be an object", "missing", "unknown"}
    found = [one for one in check(values) if one.path == path and not any(word in one.message for word in known)]
    assert found


@pytest.mark.parametrize("name", ["Hessian", "Muon", "ScheduleFreeAdamW"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_optimizers_that_need_whole_tensors_are_refused(classifier, name, stage):
    classifier |= {"optimizer": {"type": name.lower()}, "engine": {"zero": stage}}
    (problem,) = check(classifier)
    assert problem.path == "engine.zero"
    assert problem.message.startswith(f"must be 0 with the optimizer {name}, which needs whole tensors, got {stage};")


@pytest.mark.parametrize("name", ["Muon", "Adagrad"])
def test_an_optimizer_does_not_matter_where_nothing_learns(classifier, name):
    data = {"input_type": "images", "test_input_path": "./test/"}
    classifier |= {"optimizer": {"type": name}, "engine": {"zero": 3, "offload": "nvme"}, "data": data}
    assert not list(check(classifier))


@pytest.mark.parametrize("above", [None, "auto", "bf16"])
def test_a_precision_may_be_said_twice_if_it_is_the_same(classifier, above):
    classifier |= {"engine": {"precision": "bf16"}} | ({"precision": above} if above else {})
    assert not list(check(classifier))


def test_engine_has_no_other_keys():
    assert any("did you mean `overlap`?" in one.message for one in check({"engine": {"overlapp": True}}))
