"""Samples are put aside, evenly and by name, and nothing is left where something went wrong."""

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from rmldnn.config.instantiate import opened_data
from rmldnn.data.aside import chosen, copied, require_movable
from rmldnn.data.discovery import MADE
from rmldnn.data.layouts.layout import Pair
from rmldnn.data.layouts.listing import entry
from rmldnn.data.splitting import divided, place
from rmldnn.errors import DataError, RmldnnError

FOLDER = Path("split")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def draw(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(name, np.zeros((4, 4), np.uint8))


def opened(**keys):
    return opened_data({"data": keys}).train


def classes():
    draw(*(f"data/cat/{number}.png" for number in range(10)), *(f"data/dog/{number}.png" for number in range(5)))
    return opened(input_type="images", target_type="labels", input_path="data"), Pair("data")


def masks():
    draw(*(f"data/images/a/{number}.png" for number in range(10)), *(f"m/a/{number}_mask.png" for number in range(10)))
    keys = {"input_path": "data/images", "target_path": "m"}
    return opened(input_type="images", target_type="masks", **keys), Pair("data/images", "m")


def rows():
    np.save("x.npy", np.arange(40, dtype=np.float32).reshape(20, 2))
    np.save("y.npy", np.arange(20) % 2)
    keys = {"samples": "rows", "target_channel_axis": "none", "input_path": "x.npy", "target_path": "y.npy"}
    return opened(type="numpy", **keys), Pair("x.npy", "y.npy")


def below(folder):
    return sorted(
        str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir() and path.name != MADE
    )


@pytest.mark.parametrize(("fraction", "cats", "dogs"), [(0.2, 2, 1), (0.5, 5, 2), (0.99, 9, 4), (0.01, 1, 1)])
def test_classes_are_put_aside_evenly(fraction, cats, dogs):
    dataset, _ = classes()
    aside = chosen(dataset, fraction)
    assert (sum(aside[:10]), sum(aside[10:])) == (cats, dogs)


def test_samples_are_chosen_from_everywhere():
    dataset, _ = masks()
    assert [index for index, one in enumerate(chosen(dataset, 0.2)) if one] == [2, 7]


def test_sets_of_classes_are_links_to_all_samples():
    dataset, train = classes()
    with divided(dataset, train, 0.2, FOLDER) as (rest, test, samples, tested):
        assert not FOLDER.exists()
    assert (rest.input, test.input, rest.target, samples, tested) == ("./split/train/", "./split/test/", None, 12, 3)
    assert sorted(below(rest.input) + below(test.input)) == below("data")
    assert all(path.resolve().is_file() for path in FOLDER.rglob("*.png"))
    assert opened(input_type="images", target_type="labels", input_path=test.input).classes == ["cat", "dog"]


def test_targets_go_with_their_inputs():
    dataset, train = masks()
    with divided(dataset, train, 0.2, FOLDER) as (_, test, *_):
        pass
    found = opened(input_type="images", target_type="masks", input_path=test.input, target_path=test.target)
    assert [*found.names] == ["a/2.png", "a/7.png"]
    assert [*found.targets.source.names] == ["a/2_mask.png", "a/7_mask.png"]


def test_links_go_with_their_folder(tmp_path):
    dataset, train = classes()
    with divided(dataset, train, 0.2, FOLDER):
        pass
    moved = tmp_path.with_name(f"{tmp_path.name}_moved")
    tmp_path.rename(moved)
    assert all(path.resolve().is_file() for path in (moved / FOLDER).rglob("*.png"))


def test_rows_are_copied_evenly():
    dataset, train = rows()
    with divided(dataset, train, 0.2, FOLDER) as (rest, test, *_):
        pass
    inputs = [np.load(one.input) for one in (rest, test)]
    assert sorted(np.concatenate(inputs)[:, 0].tolist()) == [*range(0, 40, 2)]
    assert inputs[1].dtype == np.float32
    assert np.load(test.target).tolist() == [(row // 2) % 2 for row in inputs[1][:, 0].astype(int)]
    assert np.bincount(np.load(test.target)).tolist() == [2, 2]


def test_nothing_is_left_of_what_failed():
    dataset, train = classes()
    with pytest.raises(KeyboardInterrupt), divided(dataset, train, 0.2, FOLDER):
        raise KeyboardInterrupt
    assert [path.name for path in Path().iterdir()] == ["data"]


def test_links_that_were_made_are_replaced_only_if_they_may_be():
    dataset, train = classes()
    with divided(dataset, train, 0.5, FOLDER):
        pass
    assert place(FOLDER, replaced=False) == Path("split_2")
    with divided(dataset, train, 0.2, place(FOLDER, replaced=True)):
        pass
    assert len(below("split/test")) == 3
    assert [path.name for path in Path().glob("split*")] == ["split"]


def test_copies_that_were_made_are_replaced_likewise():
    dataset, train = rows()
    for _ in range(2):
        with divided(dataset, train, 0.2, place(FOLDER, replaced=True)):
            pass
    assert [path.name for path in Path().glob("split*")] == ["split"]


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("made", [False, True])
def test_a_folder_of_anything_else_is_never_replaced(made, replaced):
    dataset, train = classes()
    if made:
        with divided(dataset, train, 0.2, FOLDER):
            pass
    draw("split/train/precious.png")
    assert place(FOLDER, replaced=replaced) == Path("split_2")


def test_links_to_a_folder_are_no_samples_of_it():
    dataset, train = classes()
    with divided(dataset, train, 0.2, Path("data/split")):
        pass
    assert len(opened(input_type="images", target_type="labels", input_path="data")) == 15
    assert [one.name for one in entry("data").folders] == ["cat", "dog"]


def test_files_of_one_array_are_linked():
    for number in range(4):
        for folder in ("x", "y"):
            Path(folder).mkdir(exist_ok=True)
            with h5py.File(f"{folder}/{number}.h5", "w") as file:
                file["data"] = np.full((3, 3), number)
    dataset = opened(type="hdf5", channel_axis="none", input_path="x", target_path="y")
    require_movable(dataset)
    with divided(dataset, Pair("x", "y"), 0.25, FOLDER):
        pass
    assert below("split/test") == ["inputs/2.h5", "targets/2.h5"]


def test_room_for_copies_is_told():
    assert copied(rows()[0]) == 20 * (2 * 4 + 8)
    assert copied(classes()[0]) == 0


def test_one_sample_cannot_be_divided():
    draw("data/cat/1.png", "data/dog/1.png")
    dataset = opened(input_type="images", target_type="labels", input_path="data")
    with pytest.raises(DataError, match="one sample only, or one of each class"):
        require_movable(dataset)


def test_samples_inside_files_cannot_be_linked():
    for name in ("x", "y"):
        np.savez(f"{name}.npz", a=np.zeros((3, 3)), b=np.ones((3, 3)))
    dataset = opened(type="numpy", channel_axis="none", input_path="x.npz", target_path="y.npz")
    with pytest.raises(DataError, match="not files of their own"):
        require_movable(dataset)


def test_a_place_that_cannot_be_written_is_told():
    dataset, train = classes()
    with pytest.raises(RmldnnError, match="cannot write `data/cat/1.png/split`: "):
        divided(dataset, train, 0.2, Path("data/cat/1.png/split")).__enter__()
