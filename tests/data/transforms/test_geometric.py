"""Laws that all geometric transforms obey."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.data.transform import Boxes
from rmldnn.data.transforms.crop import center_crop, jitter_crop, random_crop
from rmldnn.data.transforms.elastic import random_elastic
from rmldnn.data.transforms.flip import (
    random_depth_flip,
    random_flip_axes,
    random_horizontal_flip,
    random_vertical_flip,
)
from rmldnn.data.transforms.pad import pad_to
from rmldnn.data.transforms.resize import resize
from rmldnn.data.transforms.rotate import random_rotate, random_rotate_90, rotate
from rmldnn.data.transforms.zoom import random_scale, random_zoom
from rmldnn.errors import ConfigError

ANYWHERE = {
    "resize": resize(size=[13, 9]),
    "enlarge": resize(size=[37, 31]),
    "center_crop": center_crop(size=[9, 8]),
    "random_crop": random_crop(size=[9, 8]),
    "jitter_crop": jitter_crop(amount=0.6),
    "pad_to": pad_to(size=[30, 21]),
    "random_zoom": random_zoom(amount=0.7),
    "random_scale": random_scale(amount=0.4),
    "random_horizontal_flip": random_horizontal_flip(probability=1.0),
    "random_vertical_flip": random_vertical_flip(probability=1.0),
    "random_flip_axes": random_flip_axes(probability=0.7),
    "rotate": rotate(angle=33.0),
    "random_rotate": random_rotate(angle=70.0),
    "random_rotate_90": random_rotate_90(probability=1.0),
    "random_elastic": random_elastic(strength=3.0, smoothness=8.0),
}
VOLUMES = {
    **ANYWHERE,
    "resize 3": resize(size=[5, 9, 13]),
    "center_crop 3": center_crop(size=[4, 8, 9]),
    "random_depth_flip": random_depth_flip(probability=1.0),
    "rotate 3": rotate(angle=[10.0, 20.0, -30.0]),
    "rotate about height": rotate(angle=[0.0, 20.0, 0.0]),
    "random_rotate 3": random_rotate(angle=[10.0, 20.0, 30.0]),
}
CASES = [
    *[pytest.param(transform, (17, 19), id=name) for name, transform in ANYWHERE.items()],
    *[pytest.param(transform, (7, 17, 19), id=f"{name} of volumes") for name, transform in VOLUMES.items()],
]
KINDS = ["uint8", "uint16", "int16", "int32", "int64", "float32", "bool"]


def smooth(extent):
    """A slowly varying sample of floats."""
    axes = np.meshgrid(*[np.arange(size) for size in extent], indexing="ij")
    return sum(np.sin(axis * (0.2 + 0.1 * n) + n) for n, axis in enumerate(axes)).astype(np.float32)[..., None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_masks_keep_their_type_and_get_no_new_numbers(apply, numbers_of, transform, extent, kind):
    mask = numbers_of((*extent, 1), kind)
    moved = apply(transform, mask, "mask")
    assert moved.dtype == mask.dtype
    assert set(np.unique(moved)) <= {0, *np.unique(mask).tolist()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_images_keep_their_type_and_channels(apply, numbers_of, transform, extent, kind):
    image = numbers_of((*extent, 5), kind)
    moved = apply(transform, image)
    assert (moved.dtype, moved.shape[-1], moved.ndim) == (image.dtype, 5, image.ndim)


@pytest.mark.parametrize("channels", [1, 3, 130])
@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_every_channel_is_moved_alike(apply, transform, extent, channels):
    image = smooth(extent)
    moved = apply(transform, np.repeat(image, channels, axis=-1))
    np.testing.assert_allclose(moved, np.repeat(apply(transform, image), channels, axis=-1), atol=1e-6)


@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_a_mask_stays_on_its_image(apply, transform, extent):
    image = smooth(extent)
    mask = (image > 0.2).astype(np.int64)
    moved, moved_mask = apply(transform, image, "target"), apply(transform, mask, "mask")
    assert moved.shape == moved_mask.shape
    inside = apply(transform, np.ones_like(image)) > 0.999
    clear = inside & (abs(moved - 0.2) > 0.35)  # a pixel's value differs by less from one that is half a pixel away
    assert clear.mean() > 0.2
    assert np.array_equal(moved_mask[clear], (moved > 0.2)[clear])


@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_the_same_draws_give_the_same_sample(apply, numbers_of, transform, extent):
    image = numbers_of((*extent, 3))
    assert np.array_equal(apply(transform, image), apply(transform, image))


@pytest.mark.parametrize(("transform", "extent"), [case for case in CASES if case.values[0].random])
def test_samples_differ_in_what_they_draw(apply, numbers_of, transform, extent):
    image = numbers_of((*extent, 1))
    moved = [apply(transform, image, index=index) for index in range(12)]
    always = getattr(transform, "probability", 0) == 1
    assert always or any(not np.array_equal(one, moved[0]) for one in moved[1:])


@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_the_given_array_is_left_alone(apply, numbers_of, transform, extent):
    image = numbers_of((*extent, 3))
    image.flags.writeable = False
    apply(transform, image)
    apply(transform, image, "mask")


@pytest.mark.parametrize(("transform", "extent"), CASES)
def test_points_go_where_pixels_go(transform, extent):
    generator = np.random.default_rng(3)
    draws = (np.random.default_rng(7),) if transform.random else ()
    motion = transform.motion(extent, *draws)
    assert motion is not None
    places = np.stack([np.broadcast_to(axis, extent) for axis in np.indices(extent, sparse=True)], axis=-1) + 0.5
    came_from = motion.move(places.astype(np.float64), nearest=False).reshape(-1, len(extent))
    inside = motion.move(np.ones((*extent, 1)), nearest=False).ravel() > 0.999
    here = np.indices(motion.extent).reshape(len(extent), -1).T + 0.5
    inside &= ((here > 1) & (here < np.array(motion.extent) - 1)).all(axis=1)  # resizing continues borders
    chosen = generator.choice(np.flatnonzero(inside), 10)
    np.testing.assert_allclose(motion.points(came_from[chosen]), here[chosen], atol=1e-3)


@pytest.mark.parametrize("transform", ANYWHERE.values(), ids=ANYWHERE)
def test_boxes_stay_around_what_they_surround(apply, transform):
    picture = np.zeros((60, 70, 1), np.float32)
    picture[25:37, 30:44] = 1
    boxes = Boxes((60, 70), np.array([[7, 30, 25, 44, 37]], np.float32))
    if transform.name in ("center_crop", "random_crop"):
        transform = type(transform)((60, 50))
    moved, around = apply(transform, picture), apply(transform, boxes)
    assert around.extent == moved.shape[:2]
    rows, columns = np.nonzero(moved[..., 0] > 0.5)
    ((label, left, top, right, bottom),) = around.values
    assert label == 7
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    exact = transform.name in ("center_crop", "pad_to") or "flip" in transform.name or transform.name.endswith("90")
    np.testing.assert_allclose([left, top, right, bottom], seen, atol=0 if exact else 2.5)


def test_boxes_are_cut_off_at_the_borders(apply):
    boxes = Boxes((10, 10), np.array([[1, 0, 0, 5, 5]], np.float32))
    assert apply(center_crop(size=[6, 4]), boxes).values.tolist() == [[1, 0, 0, 3, 2]]


def test_boxes_of_which_hardly_anything_is_left_are_dropped(apply):
    values = np.array([[1, 0, 0, 10, 3.3], [2, 0, 0, 10, 3.5], [3, 0, 0, 10, 2]], np.float32)
    moved = apply(center_crop(size=[10, 4]), Boxes((10, 10), values))  # rows 3 to 7
    assert moved.values[:, 0].tolist() == [2]


def test_a_picture_without_boxes_stays_one(apply):
    moved = apply(rotate(angle=10.0), Boxes((10, 12), np.zeros((0, 5), np.float32)))
    assert moved.values.shape == (0, 5)


@pytest.mark.parametrize("transform", [rotate(angle=5.0), random_vertical_flip(probability=0.0)])
def test_what_lines_do_not_have_is_a_fault_of_the_configuration(apply, transform):
    with pytest.raises(ConfigError, match=rf"data\.transforms\.{transform.name}: acts on the height, but samples"):
        apply(transform, np.zeros((9, 2), np.float32))


@pytest.mark.parametrize("transform", [resize(size=[5]), random_crop(size=[5]), center_crop(size=[5])])
def test_lines_have_one_size(apply, transform):
    assert apply(transform, np.zeros((9, 2), np.float32)).shape == (5, 2)


@pytest.mark.parametrize("transform", [random_scale(amount=0.3), random_elastic(strength=2.0, smoothness=8.0)])
def test_lines_are_deformed(apply, transform):
    line = smooth((40,))
    moved = apply(transform, line)
    assert moved.shape == line.shape
    assert not np.allclose(moved, line, atol=0.05)


@pytest.mark.parametrize("make", [resize, center_crop, random_crop, pad_to])
def test_a_size_for_other_samples_is_a_fault_of_the_configuration(apply, make):
    with pytest.raises(ConfigError, match=r"has 3 numbers, but samples have the shape \[8, 9\] \(without channels\)"):
        apply(make(size=[2, 3, 4]), np.zeros((8, 9, 1), np.uint8))


@pytest.mark.parametrize("make", [resize, center_crop, random_crop, pad_to])
def test_a_size_has_at_most_three_numbers(make):
    with pytest.raises(ConfigError, match=r"must be a list of 2 numbers .* or 3 .*, got 4"):
        make(size=[2, 3, 4, 5])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extent=st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple),
    name=st.sampled_from([name for name in ANYWHERE if "crop" not in name or name == "jitter_crop"]),
    part=st.sampled_from(["input", "mask"]),
)
def test_samples_of_a_few_pixels_are_samples(apply, numbers_of, extent, name, part):
    moved = apply(ANYWHERE[name], numbers_of((*extent, 2)), part)
    assert min(moved.shape) > 0


def test_pictures_that_are_too_long_for_opencv(apply):
    image = smooth((3, 40_000))
    turned = apply(rotate(angle=180.0), image)
    np.testing.assert_allclose(turned, image[::-1, ::-1], atol=1e-2)  # 32-bit places on 40,000 pixels
