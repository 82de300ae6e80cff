"""Numbers of object detection against pycocotools, which reads files as its users have them."""

import contextlib
import io
import json
import threading

import numpy as np
import pytest
import torch

pytest.importorskip("pycocotools")
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rmldnn.data.boxes import crowd
from rmldnn.metrics.average_precision import AveragePrecision

CLASSES = ["circle", "square", "star"]
MOST = 100


def scenes(count=24, seed=0, crowds=False):
    """Boxes (n, 1 + 6, 5), and detections (n, MOST, 6) that find most of them more or less well."""
    random = np.random.default_rng(seed)
    targets = np.full((count, 7, 5), -1.0, np.float32)
    found = np.zeros((count, MOST, 6), np.float32)
    found[..., 5] = -1
    for picture in range(count):
        targets[picture, 0] = [-1, 0, 0, 100, 100]
        rows = []
        for place in range(1, 1 + random.integers(0, 7)):
            kind, low = random.integers(3), random.uniform(0, 60, 2)
            box = np.array([*low, *(low + random.uniform(8, 40, 2))])
            many = crowds and random.random() < 0.2
            targets[picture, place] = [crowd(int(kind)) if many else kind, *box]
            for _ in range(random.integers(0, 3)):
                rows.append([*(box + random.normal(0, 2, 4)), random.choice([0.5, random.random()]), kind])
        for _ in range(random.integers(0, 4)):
            low = random.uniform(0, 60, 2)
            rows.append([*low, *(low + random.uniform(5, 30, 2)), random.random(), random.integers(3)])
        rows.sort(key=lambda row: -row[4])
        found[picture, : len(rows)] = np.array(rows, np.float32).reshape(-1, 6)
    return torch.from_numpy(found), torch.from_numpy(targets)


def wanted(folder, found, targets):
    """What pycocotools says of files."""
    annotations, results = [], []
    for picture, (rows, boxes) in enumerate(zip(found.double().numpy(), targets.double().numpy(), strict=True)):
        for kind, left, top, right, bottom in boxes[1:]:
            if kind != -1:
                many = kind < -1
                size = right - left, bottom - top
                record = {"image_id": picture, "category_id": int(-2 - kind if many else kind), "iscrowd": int(many)}
                record |= {"id": len(annotations) + 1, "bbox": [left, top, *size], "area": size[0] * size[1]}
                annotations.append(record)
        for left, top, right, bottom, score, kind in rows:
            if kind != -1:
                box = {"image_id": picture, "category_id": int(kind), "bbox": [left, top, right - left, bottom - top]}
                results.append({**box, "score": score})
    truth = {
        "images": [{"id": picture} for picture in range(len(found))],
        "categories": [{"id": kind, "name": name} for kind, name in enumerate(CLASSES)],
        "annotations": annotations,
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = json.loads((folder / "truth.json").read_text())
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(json.loads((folder / "results.json").read_text())), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[1], judge.stats[0]


def measured(found, targets, size=7):
    metric = AveragePrecision(len(found), 3, CLASSES, MOST)
    for first in range(0, len(found), size):
        metric.update(found[first : first + size], targets[first : first + size], first)
    return {name: value.item() for name, value in metric.compute(lambda part: part).items()}


@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_as_pycocotools_says(tmp_path, seed, crowds):
    found, targets = scenes(seed=seed, crowds=crowds)
    numbers = measured(found, targets)
    at_50, mean = wanted(tmp_path, found, targets)
    assert numbers["mAP@50"] == pytest.approx(at_50, abs=1e-12)
    assert numbers["mAP@50:95"] == pytest.approx(mean, abs=1e-12)
    assert 0.1 < numbers["mAP@50:95"] < numbers["mAP@50"] < 0.99
    each = [numbers[f"AP@50/{name}"] for name in CLASSES]
    assert np.mean(each) == pytest.approx(numbers["mAP@50"])


def test_batches_make_no_difference():
    found, targets = scenes()
    assert measured(found, targets, 5) == measured(found, targets, 24)


def test_processes_make_no_difference():
    """Three processes with uneven shares, one of them without a picture; `total` sums what all have brought."""
    found, targets = scenes()
    barrier, brought = threading.Barrier(3), {}

    def total(part):
        number = threading.current_thread().name
        brought[number] = part
        barrier.wait()
        whole = sum(brought.values())
        barrier.wait()
        return whole

    results = {}

    def process(number):
        metric = AveragePrecision(len(found), 3, CLASSES, MOST)
        for first in range(0, len(found), 4):
            size = min(3, len(found) - first) if number == 0 else 1
            start = first + (3 if number == 1 else 0)
            if number < 2:
                metric.update(found[start : start + size], targets[start : start + size], start)
        results[number] = {name: value.item() for name, value in metric.compute(total).items()}

    threads = [threading.Thread(target=process, args=(number,), name=str(number)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1] == results[2] == measured(found, targets)


def test_the_next_evaluation_begins_anew():
    found, targets = scenes()
    metric = AveragePrecision(len(found), 3, CLASSES, MOST)
    metric.update(found, targets, 0)
    first = metric.compute(lambda part: part)
    metric.update(found, targets, 0)
    assert metric.compute(lambda part: part) == first


def test_right_boxes_are_worth_1():
    _, targets = scenes()
    found = torch.zeros(len(targets), MOST, 6)
    found[..., 5] = -1
    found[:, :6, :4], found[:, :6, 4], found[:, :6, 5] = targets[:, 1:, 1:], 1, targets[:, 1:, 0]
    numbers = measured(found, targets)
    assert numbers["mAP@50"] == numbers["mAP@50:95"] == pytest.approx(1)


def test_nothing_found_is_worth_0():
    found, targets = scenes()
    found[..., 5] = -1
    assert measured(found, targets)["mAP@50"] == 0


def test_without_any_object_there_is_no_number():
    found, targets = scenes()
    targets[:, 1:, 0] = -1
    assert np.isnan(measured(found, targets)["mAP@50"])


def test_it_says_nothing(capsys):
    measured(*scenes(4))
    assert capsys.readouterr() == ("", "")
