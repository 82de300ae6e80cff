"""What DeepSpeed is told, as it understands it."""

import pytest

from rmldnn.engine.zero import Zero


@pytest.fixture
def told():
    """How DeepSpeed understands the settings of a run on GPUs."""
    from deepspeed.runtime.config import DeepSpeedConfig  # takes seconds

    def told(zero, world=1):
        return DeepSpeedConfig(zero.settings(world, 1, None, on_gpu=True))

    return told


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_it_measures_nothing_as_that_waits_for_the_device(told, stage):
    assert not told(Zero(stage)).timers_config.enabled


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_it_overlaps_what_processes_exchange(told, stage):
    overlaps = [Zero(stage, overlap=overlap) for overlap in (True, False)]
    assert [told(zero, 2).zero_config.overlap_comm for zero in overlaps] == [True, False]


def test_one_process_has_nothing_to_overlap(told):
    assert not told(Zero(2)).zero_config.overlap_comm


def test_weights_are_in_memory_where_the_numbers_of_the_optimizer_are_on_a_disk(told):
    found = told(Zero(3, "nvme", "/scratch")).zero_config
    assert found.offload_optimizer.device == "nvme"
    assert str(found.offload_optimizer.nvme_path) == "/scratch"
    assert found.offload_param.device == "cpu"
