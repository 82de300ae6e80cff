import functools

import pytest
import torch

from rmldnn.component import form
from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.transforms.normalize import normalize
from rmldnn.data.transforms.resize import resize
from rmldnn.errors import ConfigError, DataError

TAGGED = functools.partial(labels, training_tag="training", test_tag="testing")


class Flip:
    """A transform for training sets only."""

    name = "flip"
    random = True
    training_only = True

    def __call__(self, pixels, part, generator):
        return pixels

    def __str__(self):
        return "0.5"


def test_both_sets_are_there_where_both_paths_are(digits):
    opened = data(images, TAGGED, input_path=str(digits / "training"), test_input_path=str(digits / "testing"))
    assert (len(opened.train), len(opened.test)) == (10, 4)


def test_a_set_without_path_is_not_there(digits):
    opened = data(images, TAGGED, test_input_path=str(digits / "testing"))
    assert opened.train is None


def test_there_is_no_loader_for_a_set_that_is_not_there(digits):
    with pytest.raises(ValueError, match="no training set"):
        data(images, TAGGED, test_input_path=str(digits / "testing")).loader("train")


def test_a_test_set_without_targets_is_for_prediction(digits):
    opened = data(images, images, test_input_path=str(digits / "testing"))
    (batch,) = opened.loader("test").epoch(1)
    assert batch.targets is None


def test_training_without_targets_is_an_error(digits):
    with pytest.raises(ConfigError, match=r"data\.target_path: is missing"):
        data(images, images, input_path=str(digits / "training"))


def test_a_missing_folder_is_named_with_its_key(digits):
    with pytest.raises(DataError, match=r"data\.test_input_path: "):
        data(images, TAGGED, input_path=str(digits / "training"), test_input_path=str(digits / "nowhere"))


def test_batches_have_the_sizes_of_their_set(digits):
    opened = data(
        images,
        TAGGED,
        input_path=str(digits / "training"),
        test_input_path=str(digits / "testing"),
        batch_size=5,
        test_batch_size=3,
    )
    sizes = {which: [batch.size for batch in opened.loader(which).epoch(1)] for which in ("train", "test")}
    assert sizes == {"train": [5, 5], "test": [3, 1]}


def test_the_test_set_stays_in_order(digits):
    opened = data(images, TAGGED, test_input_path=str(digits / "testing"))
    (batch,) = opened.loader("test", seed=3).epoch(1)
    assert batch.names == ["0/0.png", "0/2.png", "1/1.png", "1/3.png"]


def test_the_log_has_the_lines_of_the_original_in_their_order(digits, said):
    data(images, TAGGED, input_path=str(digits / "training"), test_input_path=str(digits / "testing"), preload=True)
    assert said() == [
        "Discovering training input images...",
        "Pre-loading training input images...",
        "Discovering training labels...",
        "Number of class labels: 2",
        "Discovering test input images...",
        "Pre-loading test input images...",
        "Discovering test labels...",
        "Number of class labels: 2",
    ]


def test_dense_targets_are_preloaded_too(digits, said):
    path = str(digits / "training")
    data(images, images, input_path=path, target_path=path, preload=True)
    assert said()[-2:] == ["Discovering training target images...", "Pre-loading training target images..."]


def masks(digits, **keys):
    opened = data(
        functools.partial(images, grayscale=True),
        functools.partial(images, grayscale=True),
        [resize(size=[60, 4])],
        input_path=str(digits / "half"),
        target_path=str(digits / "half"),
        **keys,
    )
    (batch,) = opened.loader("train").epoch(1)
    return batch


@pytest.fixture
def half(tmp_path, write):
    """A picture with a black and a white half."""
    pixels = torch.tensor([0, 0, 0, 255, 255, 255], dtype=torch.uint8).expand(4, 6).contiguous().numpy()
    write(tmp_path / "half" / "a.png", pixels)
    return tmp_path


def test_targets_are_scaled_as_inputs_are(half):
    batch = masks(half)
    assert torch.equal(batch.targets, batch.inputs)


def test_a_mask_is_not_blended_where_an_image_is(half):
    batch = masks(half, target_is_mask=True)
    assert (batch.targets.unique().tolist(), len(batch.inputs.unique()) > 2) == ([0, 1], True)


def test_each_side_has_transforms_of_its_own(half):
    path = str(half / "half")
    sides = [resize(size=[3, 2])], [resize(size=[9, 8])]
    opened = data(images, images, [], *sides, input_path=path, target_path=path)
    (batch,) = opened.loader("train").epoch(1)
    assert (batch.inputs.shape, batch.targets.shape) == ((1, 3, 2, 3), (1, 3, 8, 9))


def test_normalisation_comes_last_wherever_it_stands(half):
    path = str(half / "half")
    batches = []
    for order in ([normalize(mean=0.5), resize(size=[3, 3])], [resize(size=[3, 3]), normalize(mean=0.5)]):
        batches += data(images, None, order, test_input_path=path).loader("test").epoch(1)
    assert torch.equal(batches[0].inputs, batches[1].inputs)


def test_labels_are_not_transformed(digits):
    opened = data(images, TAGGED, [normalize(mean=0.5)], test_input_path=str(digits / "testing"))
    (batch,) = opened.loader("test").epoch(1)
    assert (batch.targets.tolist(), batch.targets.dtype) == ([0, 0, 1, 1], torch.int64)


def test_the_test_set_goes_without_transforms_for_training(digits):
    paths = {"input_path": str(digits / "training"), "test_input_path": str(digits / "testing")}
    opened = data(images, TAGGED, [resize(size=[3, 2]), Flip()], **paths)
    assert [list(opened.train.transforms), list(opened.test.transforms)] == [
        [("resize", "[3, 2]"), ("flip", "0.5")],
        [("resize", "[3, 2]")],
    ]


def test_the_keys_of_all_components_can_be_read():
    assert {component: list(form(component).parameters) for component in (images, labels, resize, normalize)} == {
        images: ["grayscale", "color_order", "bands", "max_pixels"],
        labels: ["training_tag", "test_tag"],
        resize: ["size"],
        normalize: ["mean", "std"],
    }
