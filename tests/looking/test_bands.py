"""Channels of pictures by the beginnings of their files are those that a decoder gives."""

import cv2
import numpy as np
import pytest

from rmldnn.data.decode import decode
from rmldnn.data.sources.images import Images
from rmldnn.looking.bands import channels_of


@pytest.mark.parametrize(
    ("channels", "suffix"), [(1, "jpg"), (3, "jpg"), (1, "png"), (3, "png"), (4, "png"), (3, "bmp")]
)
def test_channels_are_those_of_the_decoder(channels, suffix, tmp_path):
    file = f"{tmp_path}/a.{suffix}"
    cv2.imwrite(file, np.random.default_rng(0).integers(0, 255, (9, 9, channels), dtype=np.uint8))
    found = channels_of(Images(f"{tmp_path}/", [f"a.{suffix}"], grayscale=False, rgb=False))
    assert found == {decode(file, grayscale=False, rgb=False, bands="all").shape[-1]} == {channels}


def test_files_of_several_kinds_have_several(tmp_path):
    for channels in (1, 3):
        cv2.imwrite(f"{tmp_path}/{channels}.png", np.zeros((9, 9, channels), np.uint8))
    (tmp_path / "5.png").write_bytes(b"no picture")
    found = channels_of(Images(f"{tmp_path}/", ["1.png", "3.png", "5.png"], grayscale=False, rgb=False))
    assert found == {1, 3}
