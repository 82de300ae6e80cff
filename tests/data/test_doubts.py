import cv2
import numpy as np
import pytest

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.masks import masks
from rmldnn.data.transforms.normalize import normalize


@pytest.fixture
def opened(tmp_path, caplog):
    """Opens pictures with targets of some values, and gives the warnings."""

    def opened(values, source=images, **keys):
        for folder in ("in", "out"):
            (tmp_path / folder).mkdir()
            for index in range(3):
                pixels = np.resize(np.array(values), (4, 4)) if folder == "out" else np.full((4, 4), 200)
                cv2.imwrite(str(tmp_path / folder / f"{index}.png"), pixels.astype(np.uint8))

        data(images, source, input_path=str(tmp_path / "in"), target_path=str(tmp_path / "out"), **keys)
        return [record.message for record in caplog.records if record.levelname == "WARNING"]

    return opened


@pytest.mark.parametrize("keys", [{}, {"preload": True}])
def test_class_maps_that_are_read_as_pictures(opened, keys):
    (warning,) = opened([0, 1, 2], **keys)
    assert warning == (
        "data.target_type: targets are whole numbers 0..2 of 255, and become numbers from 0 to 0.0078 as pictures do; "
        'did you mean `"target_type": "masks"`, which takes them as classes?'
    )


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ([0, 200], {}),
        ([0, 0], {}),
        ([0, 1, 2], {"source": masks}),
        ([0, 1, 2], {"target_transforms": [normalize(std=0.003921568)]}),
    ],
    ids=["pictures", "black", "masks", "made classes again"],
)
def test_what_may_well_be_meant(opened, values, keys):
    assert opened(values, **keys) == []


def test_a_file_that_cannot_be_read_is_told_later(tmp_path):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_bytes(b"")
    data(images, images, input_path=str(tmp_path / "in"), target_path=str(tmp_path / "out"))
