import numpy as np
import pytest
import torch

from rmldnn.data.pipeline import Pipeline
from rmldnn.data.transform import Part
from rmldnn.data.transforms.normalize import normalize
from rmldnn.data.transforms.resize import resize
from rmldnn.errors import ConfigError, DataError

BOTH = np.array([0, 1])


class Noise:
    """A random transform: replaces the image."""

    name = "noise"
    random = True
    training_only = True

    def __call__(self, pixels, part, generator):
        return generator.integers(0, 256, pixels.shape, dtype=np.uint8)


def picture(value, shape=(4, 6, 3), dtype=np.uint8):
    return np.full(shape, value, dtype)


def batch(pipeline, indices=BOTH):
    return pipeline.finish(torch.from_numpy(pipeline.gather(indices, seed=1, epoch=1)))


def test_pixels_become_values_from_0_to_1_with_channels_first(pictures):
    values = batch(Pipeline(pictures(picture(0), picture(255)), Part("input")))
    assert torch.equal(values, torch.stack([torch.zeros(3, 4, 6), torch.ones(3, 4, 6)]))


def test_channels_are_last_in_memory(pictures):
    values = batch(Pipeline(pictures(picture(0), picture(255)), Part("input")))
    assert values.is_contiguous(memory_format=torch.channels_last)


def test_pixels_stay_integers_until_the_batch_is_finished(pictures):
    assert Pipeline(pictures(picture(0), picture(9)), Part("input")).gather(BOTH, 1, 1).dtype == np.uint8


def test_white_is_1_in_16_bits_too(pictures):
    assert batch(Pipeline(pictures(*[picture(65535, dtype=np.uint16)] * 2), Part("input"))).unique().tolist() == [1]


def test_images_of_8_and_16_bits_can_share_a_batch(pictures):
    values = batch(Pipeline(pictures(picture(51), picture(13107, dtype=np.uint16)), Part("input")))
    torch.testing.assert_close(values, torch.full((2, 3, 4, 6), 0.2))


def test_transforms_act_in_their_order(pictures):
    steps = [(0, resize(size=[2, 2])), (1, resize(size=[5, 3]))]
    assert batch(Pipeline(pictures(picture(1), picture(2)), Part("input"), steps)).shape == (2, 3, 3, 5)


def test_normalisation_acts_on_values_from_0_to_1(pictures):
    pipeline = Pipeline(pictures(picture(0), picture(255)), Part("input"), affine=normalize(mean=0.5, std=0.25).affine)
    torch.testing.assert_close(batch(pipeline)[:, 0, 0, 0], torch.tensor([-2.0, 2.0]))


def test_normalisation_for_other_channels_is_an_error(pictures):
    pipeline = Pipeline(
        pictures(picture(0, (4, 6, 1)), picture(1, (4, 6, 1))), Part("input"), affine=normalize(mean=[1.0, 2.0]).affine
    )
    with pytest.raises(ConfigError, match=r"`normalize` has 2 values, .* images are 1"):
        batch(pipeline)


@pytest.mark.parametrize("shape", [(4, 7, 3), (5, 6, 3)])
def test_images_of_different_sizes_are_an_error_that_names_two(pictures, shape):
    with pytest.raises(DataError, match=r'0 is 6 x 4, 1 is \d x \d \(width x height\).*"resize": \[6, 4\]'):
        batch(Pipeline(pictures(picture(0), picture(0, shape)), Part("input")))


def test_random_numbers_do_not_depend_on_the_company_of_a_sample(pictures):
    pipeline = Pipeline(pictures(picture(0), picture(0)), Part("input"), [(0, Noise())])
    assert torch.equal(batch(pipeline, np.array([1, 0]))[0], batch(pipeline, np.array([1]))[0])


def test_input_and_target_draw_the_same_numbers(pictures):
    source = pictures(picture(0), picture(0))
    sides = [Pipeline(source, Part(role), [(0, Noise())]) for role in ("input", "target")]
    assert torch.equal(batch(sides[0]), batch(sides[1]))


def test_every_epoch_draws_other_numbers(pictures):
    pipeline = Pipeline(pictures(picture(0)), Part("input"), [(0, Noise())])
    assert not np.array_equal(*(pipeline.gather(np.array([0]), 1, epoch) for epoch in (1, 2)))


def test_masks_of_different_sizes_are_told_as_pictures_are(pictures):
    source = pictures(np.zeros((4, 6, 1), np.uint8), np.zeros((5, 7, 1), np.uint8))
    source.meaning = "classes"
    message = r'^masks of one set differ in size: 0 is 6 x 4, 1 is 7 x 5 .*`transforms`: \[\{"resize": \[6, 4\]\}\]$'
    with pytest.raises(DataError, match=message):
        Pipeline(source, Part("target", mask=True)).gather(np.arange(2), 0, 1)
