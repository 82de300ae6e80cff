import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources.pde import pde
from rmldnn.errors import ConfigError

EXAMPLE = {"domain_size": 128, "num_examples": 64, "num_test_examples": 8, "bc_frequency": [3, 6]}


def generated(which="train", **keys):
    return pde(Side(which, "input"), **{**EXAMPLE, **keys})


def every(source):
    return source.take(np.arange(len(source.names)))


def test_samples_are_lines_of_one_channel():
    samples = every(generated())
    assert (samples.shape, samples.dtype) == ((64, 128, 1), np.float32)


def test_a_sample_is_a_wave():
    sample = every(generated(num_examples=1, bc_type="fixed_uniform"))[0, :, 0]
    assert np.allclose(sample, 0.5 * (1 - np.cos(2 * np.pi * 3 * np.arange(128) / 128)), atol=1e-6)


def test_fixed_frequencies_go_from_the_least_to_the_greatest():
    assert generated(bc_type="fixed_uniform", num_examples=4).frequencies[:, 0].tolist() == [3, 4, 5, 6]


def test_random_frequencies_are_in_the_range():
    frequencies = generated().frequencies
    assert 3 <= frequencies.min() < 3.5 < 5.5 < frequencies.max() <= 6


def test_samples_of_several_waves_are_their_mean():
    source = generated(num_waves=2, bc_type="fixed_uniform", num_examples=4)
    single = every(generated(bc_type="fixed_uniform", num_examples=4))
    assert np.allclose(every(source)[1], (single[1] + single[2]) / 2, atol=1e-6)


def test_the_same_samples_come_every_time():
    assert np.array_equal(every(generated()), every(generated()))


@pytest.mark.parametrize("keys", [{"which": "test", "num_test_examples": 64}, {"generation_seed": 1}])
def test_other_sets_and_seeds_have_other_samples(keys):
    assert not np.array_equal(generated().frequencies, generated(**keys).frequencies)


def test_samples_do_not_depend_on_what_is_taken_with_them():
    source = generated()
    assert np.array_equal(source.take(np.array([7, 3]))[1], every(source)[3])


def test_targets_are_the_inputs():
    source = generated()
    assert pde(Side("train", "target", inputs=source), **EXAMPLE) is source


@pytest.mark.parametrize(("which", "key"), [("train", "num_examples"), ("test", "num_test_examples")])
def test_without_a_number_of_examples_there_is_no_set(which, key):
    assert generated(which, **{key: None}) is None


def test_targets_of_other_inputs_are_an_error():
    with pytest.raises(ConfigError, match=r"data\.target_type: `pde` repeats inputs of type `pde`"):
        pde(Side("train", "target", inputs=None), **EXAMPLE)


@pytest.mark.parametrize("frequencies", [[3], [6, 3], [1, 2, 3]])
def test_frequencies_that_are_no_range_are_an_error(frequencies):
    with pytest.raises(ConfigError, match=r"data\.bc_frequency: must be the least and the greatest frequency, got"):
        generated(bc_frequency=frequencies)


def test_the_log_tells_what_is_generated(said):
    generated("test")
    assert said() == ["Generating 8 test samples..."]
