import pytest
import torch

IMAGES = torch.arange(48.0).view(4, 1, 3, 4)


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("RandomFlip", {}),
        ("RandomContrast", {"factor": 0.5}),
        ("RandomBrightness", {"factor": [-0.1, 0.2]}),
        ("RandomRotation", {"factor": 0.2, "fill_mode": "reflect", "interpolation": "bilinear", "fill_value": 0.0}),
        ("RandomZoom", {"height_factor": 0.2, "width_factor": None}),
        ("RandomTranslation", {"height_factor": [-0.2, 0.2], "width_factor": 0.1}),
    ],
)
def test_nothing_changes_outside_of_training(build, class_name, config):
    assert torch.equal(build(class_name, [3, 4, 1], **config).eval()(IMAGES), IMAGES)


def test_images_are_mirrored_one_by_one(build):
    x = torch.arange(4.0).expand(64, 1, 3, 4)
    rows = {tuple(row) for row in build("RandomFlip", [3, 4, 1], mode="horizontal").train()(x)[:, 0, 0].tolist()}
    assert rows == {(0, 1, 2, 3), (3, 2, 1, 0)}


def test_contrast_keeps_the_mean(build):
    y = build("RandomContrast", [3, 4, 1], factor=0.3).train()(IMAGES + 100)
    torch.testing.assert_close(y.mean((1, 2, 3)), (IMAGES + 100).mean((1, 2, 3)))
    ratio = (y - y.mean((2, 3), keepdim=True)) / (IMAGES - IMAGES.mean((2, 3), keepdim=True))
    assert ((ratio > 0.69) & (ratio < 1.31)).all()


def test_brightness_adds_a_number(build):
    y = build("RandomBrightness", [3, 4, 1], factor=0.1).train()(IMAGES + 100) - IMAGES - 100
    assert y.abs().max() <= 25.5
    assert (y.flatten(1).std(1) < 1e-4).all()


def test_brightness_stays_in_the_range(build):
    y = build("RandomBrightness", [3, 4, 1], factor=[0.5, 0.6], value_range=[0.0, 1.0]).train()(IMAGES / 48)
    assert y.max() == 1


def test_a_random_part_is_cut_out_in_training(build):
    y = build("RandomCrop", [3, 4, 1], height=2, width=2).train()(IMAGES)
    assert (y[:, :, :, 1] - y[:, :, :, 0]).unique().tolist() == [1]


def test_images_are_resized_to_fit_outside_of_training(build):
    assert build("RandomCrop", [3, 4, 1], height=2, width=2).eval()(IMAGES).shape == (4, 1, 2, 2)


def test_what_is_left_to_the_data_says_so(build, caplog):
    build("RandomRotation", [3, 4, 1], factor=0.2)
    assert "`RandomRotation` changes nothing in training here" in caplog.text


def test_a_factor_out_of_range_is_refused(complaint):
    assert "factor 2" in complaint("RandomBrightness", [3, 4, 1], factor=2)
