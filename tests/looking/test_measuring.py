"""Looks at samples have an end."""

from pathlib import Path

import cv2
import numpy as np

from rmldnn.looking.measuring import Sets, surveyed, training_set


def test_fewer_large_pictures_are_looked_at(tmp_path):
    for name in ("small", "large"):
        (tmp_path / name / "cat").mkdir(parents=True)
        side = 5000 if name == "large" else 50
        first = tmp_path / name / "cat/0.png"
        cv2.imwrite(str(first), np.zeros((side, side), np.uint8))
        for number in range(1, 9):
            Path(tmp_path, name, f"cat/{number}.png").hardlink_to(first)
    keys = {"input_type": "images", "target_type": "labels"}
    seen = [
        surveyed(training_set(Sets()({**keys, "input_path": f"{tmp_path}/{name}"}))).seen for name in ("small", "large")
    ]
    assert seen == [9, 6]  # of 5000 x 5000 x 3 numbers


def test_sets_of_the_same_keys_are_opened_once(tmp_path):
    (tmp_path / "cat").mkdir()
    cv2.imwrite(f"{tmp_path}/cat/0.png", np.zeros((5, 5), np.uint8))
    keys = {"input_type": "images", "target_type": "labels", "input_path": str(tmp_path)}
    sets = Sets()
    assert sets(keys) is sets({**keys})
    assert sets(keys) is not sets({**keys, "input_grayscale": True})
