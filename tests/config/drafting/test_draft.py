"""First configurations: what follows from facts about data."""

import json
from dataclasses import replace

import pytest

from rmldnn.config import spec
from rmldnn.config.drafting.draft import draft
from rmldnn.config.drafting.facts import Facts
from rmldnn.config.drafting.sizes import extent, networks, wishes
from rmldnn.config.reader import read_text
from rmldnn.config.writing import text

PICTURES = Facts(
    task="classification",
    data={"input_type": "images", "target_type": "labels", "input_path": "./train/", "test_input_path": "./test/"},
    samples=1000,
    tested=200,
    least=(48, 64),
    most=(48, 64),
    usual=(48, 64),
    channels=3,
    outputs=2,
    classes=["cat", "house"],
    mean=[0.5, 0.4, 0.45],
    deviation=[0.25, 0.25, 0.25],
)
TEST = {"test_input_path": "./c", "test_target_path": "./d"}
MASKS = replace(
    PICTURES,
    task="segmentation",
    classes=(),
    data={"input_type": "images", "target_type": "masks", "input_path": "./a/", "target_path": "./b/", **TEST},
)
BOXES = replace(
    MASKS,
    task="detection",
    classes=["cat", "house"],
    data={"input_type": "images", "target_type": "coco", "input_path": "./a/", "target_path": "./b.json", **TEST},
)
VOLUMES = replace(
    MASKS,
    data={"type": "hdf5", "input_path": "./a.h5", "target_path": "./b.h5", **TEST},
    least=(100, 200, 150),
    most=(100, 200, 150),
    usual=(100, 200, 150),
    channels=1,
    pixels=False,
    sliced=True,
    samples=4,
    mean=[3],
    deviation=[2],
)
ROWS = replace(
    PICTURES,
    task="regression",
    data={"type": "numpy", "samples": "rows", "input_path": "./x.npy", "target_path": "./y.npy", **TEST},
    least=(),
    most=(),
    usual=(),
    channels=7,
    outputs=1,
    pixels=False,
    targets=([3500.0], [500.0]),
)


def of_size(facts, *sizes):
    return replace(facts, least=sizes[0], most=sizes[-1], usual=sizes[len(sizes) // 2])


def drafted(facts, **wanted):
    return draft(facts, wishes(facts, **wanted)).values


@pytest.mark.parametrize("facts", [PICTURES, MASKS, BOXES, VOLUMES, ROWS, replace(PICTURES, tested=0)])
def test_file_is_right(facts):
    made = draft(facts, wishes(facts))
    document = read_text(text(made.values, made.remarks), "config.json")
    assert document.value == {"neural_network": json.loads(json.dumps(made.values))}
    assert spec.judged(document).warnings == []


@pytest.mark.parametrize("facts", [PICTURES, MASKS, VOLUMES])
@pytest.mark.parametrize("task", ["regression", "image-to-image"])
def test_other_tasks_are_right(facts, task):
    facts = replace(facts, task=task, targets=([0.5], [0.2]), outputs=1)
    made = draft(facts, wishes(facts))
    assert spec.judged(read_text(text(made.values), "config.json")).warnings == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (of_size(PICTURES, (8, 8)), (32, 32)),
        (of_size(PICTURES, (48, 64)), (48, 64)),
        (of_size(PICTURES, (600, 800)), (168, 224)),
        (of_size(PICTURES, (90, 80), (100, 120), (500, 400)), (120, 120)),
        (of_size(PICTURES, (90, 80), (900, 800), (900, 900)), (224, 224)),
        (of_size(MASKS, (100, 130)), (96, 128)),
        (of_size(MASKS, (20, 20)), (20, 20)),
        (of_size(MASKS, (1024, 512)), (256, 128)),
        (of_size(BOXES, (480, 640)), (416, 416)),
        (of_size(BOXES, (48, 64)), (96, 96)),
        (of_size(BOXES, (200, 300)), (288, 288)),
        (VOLUMES, (64, 64, 64)),
        (of_size(VOLUMES, (20, 200, 150)), (20, 64, 64)),
        (of_size(VOLUMES, (32, 32, 64)), (32, 32, 64)),
        (of_size(replace(VOLUMES, task="image-to-image"), (100, 130)), (104, 136)),
    ],
)
def test_extent_is_one_that_the_network_takes(facts, expected):
    assert extent(facts, networks(facts)[0]) == expected


def test_size_that_is_wanted_is_brought_to_what_the_network_takes():
    assert extent(MASKS, "unet", (100, 200)) == (96, 192)
    assert extent(PICTURES, "resnet18", (7, 100)) == (32, 100)


@pytest.mark.parametrize("samples", [1, 10, 300, 10_000, 1_000_000])
@pytest.mark.parametrize("facts", [PICTURES, MASKS, BOXES, ROWS])
def test_there_are_updates_enough_and_not_too_many_epochs(samples, facts):
    wish = wishes(replace(facts, samples=samples))
    assert 15 <= wish.num_epochs <= 100
    assert wish.num_epochs == 100 or wish.num_epochs * samples / wish.batch_size > 1400
    assert wish.batch_size == 4 or wish.batch_size * 8 <= samples


def keys(values, name="transforms"):
    return [next(iter(item)) for item in values["data"].get(name, ())]


def test_pictures_of_one_size_that_fits_are_not_resized():
    assert "resize" not in keys(drafted(PICTURES))
    assert drafted(of_size(PICTURES, (600, 800)))["data"]["transforms"][0] == {"resize": [224, 168]}


def test_pictures_of_which_not_all_were_seen_are_resized():
    assert drafted(replace(PICTURES, every=False))["data"]["transforms"][0] == {"resize": [64, 48]}


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        (of_size(PICTURES, (400, 600)), True),  # 1200 x 224 x 149 x 3, made smaller before they are kept
        (of_size(BOXES, (400, 600)), True),  # 1200 x 400 x 600 x 3 = 864 MB, kept whole
        (replace(of_size(BOXES, (400, 600)), tested=500), False),
        (replace(of_size(BOXES, (400, 600)), width=2), False),
        (replace(of_size(MASKS, (256, 256)), samples=3500, tested=0), True),  # 3500 x 256 x 256 x (3 + 1) = 918 MB
        (replace(of_size(MASKS, (256, 256)), samples=3500), True),
        (replace(of_size(MASKS, (256, 256)), samples=3700), False),
        (replace(VOLUMES, samples=50, tested=0), True),  # 50 x 100 x 200 x 150 x (1 + 1)
        (replace(VOLUMES, samples=50, tested=0, width=4), False),
    ],
)
def test_samples_are_kept_in_memory_if_they_fit(facts, kept):
    assert ("preload" in drafted(facts)["data"]) == kept


def test_targets_of_another_size_are_resized():
    assert drafted(replace(MASKS, task="image-to-image", resized=True))["data"]["transforms"][0] == {"resize": [64, 48]}


@pytest.mark.parametrize(
    ("facts", "mirrored"),
    [
        (PICTURES, True),
        (replace(PICTURES, classes=[*"0123456789"]), False),
        (replace(PICTURES, classes=["left_lung", "right_lung"]), False),
        (replace(PICTURES, channels=1), False),
        (replace(PICTURES, task="regression"), False),
        (MASKS, True),
        (BOXES, True),
        (replace(BOXES, classes=["left hand", "right hand"]), False),
        (replace(BOXES, classes=[*"0123456789"]), False),
        (VOLUMES, False),
    ],
)
def test_mirroring_is_left_out_where_it_may_be_wrong(facts, mirrored):
    assert ("random_horizontal_flip" in keys(drafted(facts))) == mirrored


def test_large_volumes_are_cut_and_put_together():
    data = drafted(VOLUMES)["data"]
    assert data["slicers"] == [{"name": "slices", "sizes": [64, 64, 64]}]
    assert data["hdf5_outfile"] == "./predictions.h5"
    assert "resize" not in keys({"data": data})
    assert wishes(VOLUMES).num_epochs * 4 * 24 / 2 > 1400  # slices count


def test_small_volumes_are_whole():
    data = drafted(of_size(VOLUMES, (32, 32, 64)))["data"]
    assert "slicers" not in data
    assert "transforms" not in data


def test_rows_get_a_network_of_their_own_and_targets_in_reach():
    values = drafted(ROWS)
    assert values["layers"][0]["config"]["batch_input_shape"] == [None, 7]
    assert values["data"]["target_transforms"] == [{"normalize": {"mean": 3500.0, "std": 500.0}}]
    assert "target_transforms" not in drafted(replace(ROWS, targets=([0.5], [0.3])))["data"]


def test_signals_get_convolutions_down_to_what_they_are_long():
    kinds = [layer["class_name"] for layer in drafted(replace(of_size(PICTURES, (20,)), pixels=False))["layers"]]
    assert kinds.count("MaxPooling1D") == 2
    assert kinds[-2:] == ["GlobalAveragePooling1D", "Dense"]


@pytest.mark.parametrize(
    ("facts", "best"),
    [
        (PICTURES, "test_accuracy"),
        (MASKS, "test_IoU"),
        (BOXES, "test_accuracy"),
        (ROWS, "test_loss"),
        (replace(PICTURES, tested=0), "train_loss"),
    ],
)
def test_best_network_is_kept(facts, best):
    assert drafted(facts)["checkpoints"]["keep"]["best"] == best


def test_metrics_are_left_out_without_their_packages():
    values = draft(MASKS, wishes(MASKS), metrics=False).values
    assert "metrics" not in values
    assert values["checkpoints"]["keep"]["best"] == "test_accuracy"


def test_index_of_no_class_counts_for_nothing():
    assert all(loss["ignore_index"] == 255 for loss in drafted(replace(MASKS, ignored=255))["loss"])


def test_large_outputs_are_not_written_in_every_epoch():
    assert drafted(MASKS)["data"]["test_output_path"] == "./predictions/"
    assert "test_output_path" not in drafted(of_size(replace(MASKS, tested=10_000), (512, 512)))["data"]


def test_what_somebody_wishes_holds():
    values = drafted(PICTURES, network="resnet50", size=(96, 96), epochs=3, batch=5)
    assert values["network"]["type"] == "resnet50"
    assert values["network"]["input_shape"] == [96, 96, 3]
    assert (values["num_epochs"], values["data"]["batch_size"]) == (3, 5)
