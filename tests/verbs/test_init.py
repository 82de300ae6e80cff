"""`rmldnn init`: from a folder of data to a configuration that trains."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from rmldnn.config.reader import read
from rmldnn.errors import ConfigError, DataError
from rmldnn.verbs import init

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def picture(path, height=40, width=48, channels=3, brighter=0):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(0, 120, (height, width, channels), dtype=np.uint8) + np.uint8(brighter)
    cv2.imwrite(str(path), pixels)
    return pixels


def mask(path, values):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((40, 48), values[0], np.uint8)
    for place, value in enumerate(values[1:]):
        pixels[5 + 9 * place : 13 + 9 * place, 5:25] = value
    cv2.imwrite(str(path), pixels)


def array(path, values):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if path.endswith(".h5"):
        with h5py.File(path, "w") as file:
            file["a"] = values
    else:
        np.save(path, values)


def normal(*shape, scale=1.0):
    return RANDOM.normal(0, scale, shape).astype(np.float32)


def classes():
    for part, count in (("train", 8), ("test", 3)):
        for number in range(count):
            picture(f"data/{part}/cat/{number}.jpg")
            picture(f"data/{part}/house/{number}.jpg", brighter=100)


def classes_alone():
    for place, name in enumerate(("cat", "dog", "owl")):
        for number in range(10):
            picture(f"data/{name}/{number}.png", 30 + number, 28, 1, 40 * place)


def table(head, *columns):
    for number in range(len(columns[0])):
        picture(f"data/pictures/{number}.jpg")
    rows = [",".join([f"{number}.jpg", *map(str, row)]) for number, row in enumerate(zip(*columns, strict=True))]
    Path("data/labels.csv").write_text("\n".join([head, *rows]))


def named():
    table("file,kind", ["cat", "dog"] * 6)


def numbers():
    table("file,age,weight", np.arange(12) * 5.5, np.arange(12) * 100)


def ages():
    table("file,age", [0, 1] * 6)


def masks():
    for number in range(10):
        picture(f"data/images/{number}.jpg")
        mask(f"data/masks/{number}_mask.png", (0, 255))


def masks_of_sets():
    for part, count in (("train", 6), ("val", 3)):
        for number in range(count):
            picture(f"data/images/{part}/{number}.jpg")
            mask(f"data/labels/{part}/{number}.png", (0, 1, 2, 255))


def noisy():
    for number in range(10):
        pixels = picture(f"data/inputs/{number}.png", 64, 64, 1)
        Path("data/outputs").mkdir(exist_ok=True)
        cv2.imwrite(f"data/outputs/{number}.png", 255 - pixels)


def nifti():
    nibabel = pytest.importorskip("nibabel")
    for folder in ("imagesTr", "labelsTr"):
        Path("data", folder).mkdir(parents=True)
    for number in range(5):
        values = normal(20, 24, 18 + number)
        for folder, one in (("imagesTr", values), ("labelsTr", (values > 0).astype(np.uint8))):
            nibabel.save(nibabel.Nifti1Image(one, np.eye(4)), f"data/{folder}/{number}.nii.gz")


def coco():
    for part, count in (("train", 8), ("val", 3)):
        images, boxes = [], []
        for number in range(1, count + 1):
            picture(f"data/{part}/{number}.jpg", 96, 128)
            images.append({"id": number, "file_name": f"{number}.jpg", "height": 96, "width": 128})
            for kind in (1, 2):
                box = [10 + 3 * number, 5 + 30 * kind, 20 + 4 * number, 25 + kind]
                boxes.append({"id": len(boxes) + 1, "image_id": number, "category_id": kind, "bbox": box, "area": 500})
        kinds = [{"id": 1, "name": "cell"}, {"id": 2, "name": "dust"}]
        Path("data/annotations").mkdir(exist_ok=True)
        content = {"images": images, "annotations": boxes, "categories": kinds}
        Path(f"data/annotations/instances_{part}.json").write_text(json.dumps(content))


def yolo():
    Path("data/labels").mkdir(parents=True)
    for number in range(1, 11):
        picture(f"data/images/{number}.jpg", 64, 64)
        Path(f"data/labels/{number}.txt").write_text(f"0 0.5 0.5 0.{number} 0.3\n1 0.5 0.5 0.2 0.{number}\n")
    Path("data/classes.txt").write_text("cell\ndust\n")


def labelled_arrays():
    for part, count in (("train", 20), ("test", 6)):
        array(f"data/x_{part}.npy", normal(count, 20, 24))
        array(f"data/y_{part}.npy", np.arange(count) % 3)


def rows():
    array("data/x.npy", values := normal(40, 7, scale=20))
    array("data/y.npy", values.sum(1) * 10)


def fields():
    for part, count in (("train", 12), ("test", 4)):
        array(f"data/{part}_in.h5", normal(count, 2, 24, 24))
        array(f"data/{part}_out.h5", normal(count, 1, 24, 24, scale=1e4))


def volumes():
    for part in ("train", "test"):
        array(f"data/{part}_image.h5", values := normal(18, 30, 70))
        array(f"data/{part}_label.h5", (values > 0).astype(np.uint8) + (values > 1))


def signals():
    array("data/x.npy", normal(20, 3, 100))
    array("data/y.npy", np.arange(20) % 2)


def stores():
    zarr = pytest.importorskip("zarr")
    for number in range(4):
        for folder, values in (("images", normal(32, 32)), ("labels", np.tile(np.array([0, 1], np.uint8), (32, 16)))):
            zarr.save(f"data/{folder}/{number}.zarr", values)


def drafted(*options, data="data"):
    """Writes a configuration without questions; its content."""
    assert init.main([data, "--yes", *options]) == 0
    return read("config.json").value["neural_network"]


@pytest.mark.parametrize(
    ("make", "network", "shape", "outputs"),
    [
        (classes, "resnet18", [40, 48, 3], 2),
        (classes_alone, "resnet18", [34, 34, 1], 3),
        (named, "resnet18", [40, 48, 3], 2),
        (numbers, "resnet18", [40, 48, 3], 2),
        (masks, "unet2d", [40, 48, 3], 2),
        (masks_of_sets, "unet2d", [40, 48, 3], 3),
        (noisy, "unet2d", [64, 64, 1], 1),
        (nifti, "unet3d", [20, 24, 20], 2),
        (coco, "yolov3", [128, 128, 3], 2),
        (yolo, "yolov3", [96, 96, 3], 2),
        (labelled_arrays, "resnet18", [32, 32, 1], 3),
        (fields, "unet2d", [24, 24, 2], 1),
        (volumes, "unet3d", [20, 32, 64, 1], 3),
        (stores, "unet2d", [32, 32, 1], 2),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_configuration_passes_its_check(make, network, shape, outputs, capsys):
    make()
    found = drafted()["network"]
    assert (found["type"], found["num_classes"]) == (network, outputs)
    assert found["input_shape"][: len(shape)] == shape
    assert "No problems" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("inputs", "targets", "counts", "shape"),
    [
        ((3, 32, 32), (1, 32, 32), (20, 20, 7), [32, 32, 3]),
        ((3, 32, 32), (), (5, 5, 2), [32, 32, 3]),
        ((32, 32), (), (20, 20, 20), [32, 32, 1]),
    ],
)
def test_blocks_of_arrays_are_rows(inputs, targets, counts, shape, capsys):
    for number, count in enumerate(counts):
        array(f"data/inputs/{number}.h5", normal(count, *inputs))
        array(f"data/targets/{number}.h5", normal(count, *targets))
    values = drafted()
    assert values["data"]["samples"] == "rows"
    assert values["network"]["input_shape"] == shape
    out = capsys.readouterr().out
    assert f": {sum(counts)} arrays of" in out
    assert "--samples arrays says otherwise" in out


@pytest.mark.parametrize(
    ("inputs", "targets", "told", "task"),
    [
        ((3, 32, 32), (3,), "12 arrays of 32 x 32, 3 channels", "regression, 3 numbers"),
        ((100,), (100,), "12 rows of 100 numbers", "regression, 100 numbers"),
        ((32, 32, 3), (32, 32), "12 arrays of 32 x 32, 3 channels", "image-to-image, 1 channel"),
    ],
)
def test_samples_of_which_an_axis_is_as_long_as_targets_are_no_rows(inputs, targets, told, task, capsys):
    for number in range(12):
        array(f"data/inputs/{number}.npy", normal(*inputs))
        array(f"data/targets/{number}.npy", normal(*targets))
    drafted()
    out = capsys.readouterr().out
    assert f"data/inputs: {told}\nTask: {task}\n" in out
    assert ("--samples rows says otherwise" in out) == (len(inputs) > 1)


@pytest.mark.parametrize(("make", "layers"), [(rows, 4), (signals, 14)], ids=["rows", "signals"])
def test_layers_are_written_where_no_family_fits(make, layers):
    make()
    assert len(drafted()["layers"]) == layers


@pytest.mark.slow
@pytest.mark.parametrize("make", [classes, masks, coco, rows, volumes], ids=lambda make: make.__name__)
def test_configuration_trains(make, fork_server):
    if make is coco:
        pytest.importorskip("pycocotools")
    make()
    drafted("--size", "32") if make is classes else drafted()
    result = fork_server(Path.cwd(), "config.json", "num_epochs=1")
    assert result.code == 0, result.err
    assert len(list(Path("model").iterdir())) == 2  # the last network, and the best one


def test_test_set_is_put_aside_and_named():
    classes_alone()
    data = drafted()["data"]
    assert (data["input_path"], data["test_input_path"]) == ("./split/train/", "./split/test/")
    assert len(list(Path("split/test").rglob("*.png"))) == 6


@pytest.mark.parametrize("folder", ["data/", "."])
def test_classes_may_lie_deeper_than_their_folders(folder, monkeypatch):
    for name in ("cat/u", "cat/v", "dog/u"):
        for number in range(4):
            picture(f"data/{name}/{number}.jpg")
    if folder == ".":
        monkeypatch.chdir("data")
    assert drafted(data=folder)["network"]["num_classes"] == 2


def test_no_test_set_is_made_if_none_is_wanted():
    masks()
    values = drafted("--test-fraction", "0")
    assert values["data"]["input_path"] == "./data/images/"
    assert values["checkpoints"]["keep"]["best"] == "train_loss"
    assert not Path("split").exists()


def test_values_of_masks_become_classes():
    masks()
    assert drafted()["data"]["values"] == [0, 255]


def test_value_of_no_class_is_ignored():
    masks_of_sets()
    assert [loss["ignore_index"] for loss in drafted()["loss"]] == [255, 255]


def test_grey_pictures_have_one_channel():
    noisy()
    data = drafted()["data"]
    assert (data["type"], data["grayscale"]) == ("images", True)


def test_targets_that_are_larger_say_the_size(capsys):
    for number in range(6):
        picture(f"data/lr/{number}.png", 32, 32)
        picture(f"data/hr/{number}.png", 64, 64)
    values = drafted()
    assert values["network"]["input_shape"] == [64, 64, 3]
    assert values["data"]["transforms"][0] == {"resize": [64, 64]}
    assert "pictures of 32 x 32" in (out := capsys.readouterr().out)
    assert "Note: targets are larger than their inputs" in out


def test_a_picture_of_another_size_in_the_test_does_no_harm():
    classes()
    picture("data/test/cat/9.jpg", 30, 30)
    assert {"resize": [48, 40]} in drafted()["data"]["transforms"]


def test_boxes_get_anchors_and_names():
    yolo()
    values = drafted()
    assert len(values["loss"]["anchors"]) == 9
    assert values["data"]["class_names"] == "./data/classes.txt"


def test_too_few_boxes_leave_anchors_for_later(capsys):
    yolo()
    for file in Path("data/labels").iterdir():
        file.write_text("0 0.5 0.5 0.2 0.3\n")
    assert "anchors" not in drafted()["loss"]
    assert "rmldnn anchors config.json" in capsys.readouterr().out


def test_whole_numbers_may_be_classes_or_quantities(capsys):
    ages()
    assert drafted()["loss"]["function"] == "NLL"
    assert "Note: whole numbers are taken for classes; --task regression says otherwise" in capsys.readouterr().out
    values = drafted("--task", "regression", "--force")
    assert (values["loss"]["function"], values["data"]["meaning"]) == ("MSE", "numbers")


@pytest.mark.parametrize("tables", [{"labels.csv": "a,b"}, {"train.csv": "a,b", "test.csv": "a,c"}])
def test_pictures_of_a_test_without_targets_are_left_out(tables, capsys):
    for number in range(8):
        picture(f"data/train/{number}.jpg")
        picture(f"data/test/{number + 8}.jpg")
    for name, head in tables.items():
        rows = [f"{number}.jpg,{number % 2}" if "test" not in name else f"{number + 8}.jpg,9" for number in range(8)]
        Path("data", name).write_text("\n".join([head, *rows]))
    data = drafted()["data"]
    assert (data["input_path"], data["test_input_path"]) == ("./split/train/", "./split/test/")
    assert "Note: data/test is left out: data" in capsys.readouterr().out
    names = [f"data/{name}" for name in tables]
    paths = ["--input", "data/train", "--target", names[0], "--test-input", "data/test", "--test-target", names[-1]]
    with pytest.raises(DataError, match="has no row for 8 of 8 inputs|class `9` is none of the training set"):
        init.main([*paths, "--yes", "--force"])  # named, it is needed


def test_columns_of_a_table_are_chosen(capsys):
    numbers()
    drafted()
    assert "Note: 2 columns of `data/labels.csv` are targets; --columns takes some" in capsys.readouterr().out
    Path("config.json").unlink()
    assert drafted("--columns", "weight")["network"]["num_classes"] == 1


def test_a_column_that_is_no_target_is_told_with_the_flag():
    table("file,name,age", [f"n{number}" for number in range(6)], range(6))
    with pytest.raises(DataError, match="`name` must hold numbers, got `n0`.*; here, by --columns"):
        init.main(["data", "--yes"])
    assert drafted("--columns", "age", "--task", "regression")["loss"]["function"] == "MSE"


def test_masks_in_colour_are_pictures_only_if_that_is_said():
    masks()
    for number in range(10):
        picture(f"data/masks/{number}_mask.png")
    with pytest.raises(DataError, match="its pixels have colours.*; --task image-to-image takes these targets"):
        init.main(["data", "--yes"])
    assert drafted("--task", "image-to-image")["network"]["num_classes"] == 3


@pytest.mark.parametrize("folder", ["targets", "masks"])
def test_a_broken_mask_does_not_change_the_task(folder, capsys):
    for number in range(6):
        picture(f"data/inputs/{number}.png")
        mask(f"data/{folder}/{number}.png", (0, 1))
    Path(f"data/{folder}/2.png").write_bytes(b"no picture")
    assert drafted()["data"]["target_type"] == "masks"
    assert f"data/{folder}/2.png: " in capsys.readouterr().err


def test_masks_that_lack_are_told_as_such():
    masks()
    for number in range(5):
        Path(f"data/masks/{number}_mask.png").unlink()
    with pytest.raises(DataError, match="10 inputs and 5 targets") as caught:
        init.main(["data", "--yes"])
    assert "--task" not in str(caught.value)


def test_targets_of_jpeg_are_pictures():
    for number in range(4):
        for folder in ("inputs", "targets"):
            picture(f"data/{folder}/{number}.jpg")
    assert drafted()["data"]["type"] == "images"


@pytest.mark.parametrize(("folder", "task"), [("masks", "segmentation, 1"), ("outputs", "image-to-image, 1")])
def test_many_values_are_classes_where_they_are_called_so(folder, task, capsys):
    for number in range(4):
        picture(f"data/inputs/{number}.png")
        Path("data", folder).mkdir(exist_ok=True)
        values = (np.arange(40 * 48).reshape(40, 48) // 2 % 151).astype(np.uint8)
        cv2.imwrite(f"data/{folder}/{number}.png", values)
    drafted()
    out = capsys.readouterr().out
    assert f"Task: {task}" in out
    other = "image-to-image takes them for pictures" if folder == "masks" else "segmentation takes them for classes"
    assert f"there are 151 different values in 4 of them; --task {other}" in out


def test_pages_are_the_depth_of_volumes():
    tifffile = pytest.importorskip("tifffile")
    for number in range(4):
        for folder in ("images", "masks"):
            Path("data", folder).mkdir(parents=True, exist_ok=True)
            pixels = RANDOM.integers(0, 2, (12, 32, 32), dtype=np.uint8)
            tifffile.imwrite(f"data/{folder}/{number}.tif", pixels, photometric="minisblack")
    values = drafted()
    assert (values["network"]["type"], values["network"]["input_shape"]) == ("unet3d", [12, 32, 32, 1])


def test_bands_that_are_no_colours_are_all_taken():
    tifffile = pytest.importorskip("tifffile")
    for kind in ("wood", "lake"):
        for number in range(4):
            Path("data", kind).mkdir(parents=True, exist_ok=True)
            pixels = RANDOM.random((40, 40, 7)).astype(np.float32)
            tifffile.imwrite(f"data/{kind}/{number}.tif", pixels, photometric="minisblack", planarconfig="contig")
    values = drafted()
    assert (values["network"]["input_shape"], values["data"]["input_bands"]) == ([40, 40, 7], "all")


def test_classes_in_an_axis_of_their_own_are_told():
    array("data/x_train.npy", RANDOM.integers(0, 255, (20, 32, 32, 3), dtype=np.uint8))
    array("data/y_train.npy", np.arange(20)[:, None] % 3)
    with pytest.raises(DataError, match=r"save `data/y_train.npy` without it .*`y.ravel\(\)`"):
        init.main(["data", "--yes"])


def test_a_single_sample_is_kept_for_training(capsys):
    picture("data/images/1.jpg")
    mask("data/masks/1.png", (0, 1))
    assert "test_input_path" not in drafted()["data"]
    assert "Note: there is no test set; there is one sample only" in capsys.readouterr().out


def test_parts_may_be_named():
    masks()
    Path("data").rename("elsewhere")
    assert init.main(["--input", "elsewhere/images", "--target", "elsewhere/masks", "--yes"]) == 0


def test_flags_are_answers():
    classes()
    options = ["--network", "resnet34", "--size", "64x32", "--epochs", "3", "--batch-size", "5", "--out", "a.json"]
    assert init.main(["data", "--yes", *options]) == 0
    values = read("a.json").value["neural_network"]
    assert (values["network"]["type"], values["num_epochs"], values["data"]["batch_size"]) == ("resnet34", 3, 5)
    assert values["network"]["input_shape"] == [32, 64, 3]
    assert {"resize": [64, 32]} in values["data"]["transforms"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name a folder of data"),
        (["data", "--input", "data"], "name a folder of data"),
        (["data", "--target", "data"], "--target goes with --input, instead of a folder"),
        (["--input", "data", "--test-target", "data"], "--test-target goes with --test-input, which is missing"),
        (["data", "--columns", "age"], "--columns goes with a table; here are folders of classes, data/train"),
        (["data", "--samples", "rows"], "--samples goes with arrays of HDF5, NumPy or Zarr; here are folders of"),
        (["data", "--test-fraction", "0.5"], "--test-fraction: there is a test set, `./data/test/`"),
        (["data", "--epochs", "0"], "--epochs must be a positive integer, got 0"),
        (["data", "--batch-size", "-1"], "--batch-size must be a positive integer, got -1"),
        (["data", "--test-fraction", "1"], "--test-fraction must be a number at least 0 and less than 1, got 1.0"),
        (["data", "--out", "config.yaml"], "--out must be a file that ends in .json, got config.yaml"),
        (["data", "--size", "big"], "--size must be a number of pixels, or several as in 224x160, got big"),
        (["data", "--size", "1x2x3"], "--size: must be 2 numbers, got 1x2x3"),
        (["data", "--network", "resnet19"], "--network resnet19: of classification there are resnet18, "),
        (["data", "--task", "segmentation"], "--task segmentation: this data is for classification"),
        (["data", "--out", "nowhere/a.json"], "cannot write to `nowhere/a.json`"),
        (["nowhere", "--out", "nowhere/a.json"], "cannot write to `nowhere/a.json`"),  # before the data is looked at
    ],
)
def test_wrong_flags_are_told_and_nothing_is_written(options, said):
    classes()
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        init.main([*options, "--yes"])
    assert [path.name for path in Path().iterdir()] == ["data"]


def test_a_second_configuration_has_links_of_its_own():
    classes_alone()
    drafted()
    first = sorted(Path("split").rglob("*.png"))
    assert init.main(["data", "--yes", "--test-fraction", "0.5", "--out", "other.json"]) == 0
    data = read("other.json").value["neural_network"]["data"]
    assert (data["input_path"], data["test_input_path"]) == ("./split_other/train/", "./split_other/test/")
    assert sorted(Path("split").rglob("*.png")) == first


def test_a_configuration_that_is_replaced_takes_its_links_with_it():
    classes_alone()
    drafted()
    drafted("--test-fraction", "0.5", "--force")
    assert len([*Path("split/test").rglob("*.png")]) == 15
    assert [path.name for path in Path().glob("split*")] == ["split"]


def test_links_inside_the_data_are_none_of_it(monkeypatch):
    classes_alone()
    monkeypatch.chdir("data")
    for _ in range(2):
        values = drafted("--force", data="../data")
        assert values["network"]["num_classes"] == 3
        assert len([*Path("split").rglob("*.png")]) == 30


def test_links_below_the_data_are_no_second_set(monkeypatch):
    masks()
    monkeypatch.chdir("data")
    drafted(data=".")
    drafted("--force", data=".")
    assert len([*Path("split").rglob("*.jpg")]) == 10


def test_commands_to_type_next_are_quoted(capsys):
    classes()
    assert init.main(["data", "--yes", "--out", "my config.json"]) == 0
    assert "  rmldnn 'my config.json' " in capsys.readouterr().out


def started(*arguments, redirected="", **environment):
    program = "import sys; from rmldnn.cli import main; sys.exit(main(['init', *sys.argv[1:]]))"
    command = ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs to mount a small disk",
)
@pytest.mark.parametrize("out", ["disk/config.json", "config.json"])
def test_copies_without_room_are_told(out):
    array("data/x.npy", normal(2000, 200))
    array("data/y.npy", normal(2000))
    Path("disk").mkdir()
    program = "import sys; from rmldnn.cli import main; sys.exit(main(['init', *sys.argv[1:]]))"
    mounted = 'mount -t tmpfs -o size=1m tmpfs disk && exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        mounted,
        "sh",
        sys.executable,
        "-c",
        program,
        "data",
        "--yes",
        "--out",
        out,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == (ConfigError.exit_code if "disk" in out else 0)
    told = "--test-fraction: `disk` has room for 1 MiB, but copies of rows need about 1.53 MiB" in result.stderr
    assert told == ("disk" in out)


def test_a_closed_input_asks_nothing():
    classes_alone()
    result = started("data", redirected="<&-")
    assert result.returncode == 0, result.stderr
    assert Path("config.json").is_file()


def test_names_may_be_any_bytes():
    classes_alone()
    os.rename(b"data/cat", b"data/caf\xe9")  # noqa: PTH104 - as bytes
    result = started("data", "--yes", PYTHONIOENCODING="utf-8:strict")
    assert result.returncode == 0, result.stderr
    assert rb"caf\udce9" in result.stdout


def test_paths_that_no_configuration_can_hold_are_told():
    classes()
    os.rename(b"data", b"caf\xe9")  # noqa: PTH104 - as bytes
    result = started(b"caf\xe9", "--yes")
    assert result.returncode == ConfigError.exit_code
    assert b"is not in UTF-8, as paths in a configuration must be; rename it" in result.stderr


def test_links_to_themselves_are_told():
    classes_alone()
    Path("data/loop").symlink_to("loop")
    with pytest.raises(DataError, match="cannot list `./data/`: Too many levels of symbolic links"):
        init.main(["data", "--yes"])


def test_links_to_nothing_are_told(capsys):
    classes_alone()
    Path("data/cat/99.png").symlink_to("nowhere")
    init.main(["data", "--yes"])
    assert Path("split/test").is_dir()
    assert "99.png: cannot read this image: it is gone, or a link that leads nowhere" in capsys.readouterr().err


def test_a_file_is_replaced_only_by_force():
    classes()
    Path("config.json").write_text("precious")
    with pytest.raises(ConfigError, match="`config.json` is there already; --force replaces it, --out names another"):
        init.main(["data", "--yes"])
    assert Path("config.json").read_text() == "precious"
    drafted("--force")


def test_pictures_that_cannot_be_read_are_told(capsys):
    classes()
    Path("data/train/cat/0.jpg").write_bytes(b"no picture")
    assert init.main(["data", "--yes"]) == 0
    said = capsys.readouterr()
    assert "data/train/cat/0.jpg: " in said.err
    assert "runs leave out samples that cannot be read" in said.out
    assert read("config.json").value["neural_network"]["data"]["on_bad_sample"] == "skip"


def test_a_size_that_the_network_does_not_take_is_told(capsys):
    classes()
    init.main(["data", "--yes", "--size", "8"])
    assert "Note: --size 8 becomes 32 x 32, which resnet18 takes" in capsys.readouterr().out


def test_a_single_class_is_told():
    masks()
    for file in Path("data/masks").iterdir():
        mask(file, (0,))
    with pytest.raises(DataError, match="all targets hold the one value 0; nothing is to be told apart"):
        init.main(["data", "--yes"])


@pytest.fixture
def answering(monkeypatch):
    """Makes a terminal the standard input, and types answers."""
    master, slave = os.openpty()
    with os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield lambda *lines: os.write(master, "".join(f"{line}\n" for line in lines).encode())
    os.close(master)


def test_enter_takes_what_stands_in_brackets(answering, capsys):
    classes_alone()
    answering("", "", "", "")
    assert init.main(["data"]) == 0
    asked = read("config.json").value
    out = capsys.readouterr().out
    assert all(text in out for text in ("put aside, 0 for none [0.2]: ", "[resnet18]: ", "[34 x 34]: ", "Epochs ["))
    init.main(["data", "--yes", "--force"])
    assert read("config.json").value == asked


def test_wrong_answers_are_told_and_asked_again(answering, capsys):
    classes()
    answering("resnet", "resnet34", "large", "64x64x64", "64", "many", "2")
    assert init.main(["data"]) == 0
    out = capsys.readouterr().out
    assert "must be resnet18, resnet34, resnet50, resnet101, densenet121 or mobilenetv2, got resnet\n" in out
    assert all(f"got {answer}\n" in out for answer in ("large", "64x64x64", "many"))
    values = read("config.json").value["neural_network"]
    assert (values["network"]["type"], values["num_epochs"]) == ("resnet34", 2)
    assert values["network"]["input_shape"] == [64, 64, 3]


def test_the_size_of_copies_stands_in_the_question(answering, capsys):
    rows()
    answering("0", "")
    assert init.main(["data"]) == 0
    assert "part of the samples to put aside, 0 for none; all 1.25 KiB are copied [0.2]: " in capsys.readouterr().out


def test_what_may_be_understood_in_several_ways_is_asked(answering):
    noisy()
    Path("data/inputs").rename("data/noisy")
    Path("data/outputs").rename("data/clean")
    answering("2", "0", "", "", "")
    assert init.main(["data"]) == 0
    assert read("config.json").value["neural_network"]["data"]["target_type"] == "labels"


def test_what_is_taken_of_several_ways_is_told(capsys):
    for name in ("A", "B", "X", "Y"):
        for number in range(3):
            picture(f"data/{name}/{number}.png")
    assert drafted()["network"]["num_classes"] == 4
    out = capsys.readouterr().out
    assert "1: folders of classes, data\n  2: pairs, data/X with data/Y\nThe first is taken; --input and" in out


@pytest.mark.parametrize(
    ("answer", "file"), [("", "config_2.json"), ("other.json", "other.json"), ("yes", "config.json")]
)
def test_an_existing_file_needs_a_yes(answer, file, answering):
    classes()
    Path("config.json").write_text("precious")
    answering("", "", "", answer)
    assert init.main(["data"]) == 0
    assert read(file).value["neural_network"]["network"]["type"] == "resnet18"
    assert (Path("config.json").read_text() == "precious") == (file != "config.json")


def test_end_of_input_leaves_nothing(answering):
    classes_alone()
    answering("", "\x04")
    with pytest.raises(KeyboardInterrupt):
        init.main(["data"])
    assert [path.name for path in Path().iterdir()] == ["data"]


def test_interruption_leaves_nothing():
    classes_alone()
    master, slave = os.openpty()
    program = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
    )
    program += "from rmldnn.cli import main\nsys.exit(main(['init', 'data']))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said = b""
        while b"[0.2]: " not in said:  # the question
            said += os.read(process.stdout.fileno(), 4096)
        while process.poll() is None:
            time.sleep(0.5)  # until it waits for the answer
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        assert process.stderr.read() == b"rmldnn: interrupted\n"
    os.close(master)
    os.close(slave)
    assert process.returncode == 130
    assert [path.name for path in Path().iterdir()] == ["data"]
