"""The loss of YOLOv3 against plain loops over boxes and cells, in double precision."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.errors import ConfigError
from rmldnn.losses import cells
from rmldnn.losses.yolov3 import YoloV3

ANCHORS = [[5, 7], [9, 6], [14, 12], [20, 25], [30, 18], [40, 44]]
CLASSES = 3
EXTENT = 64, 96  # two scales: 2 x 3 cells of 32 pixels, 4 x 6 of 16; three anchors each


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0)


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - common)


def covered(box, other):
    """The part of a box that lies on another one."""
    width, height = (min(box[2 + axis], other[2 + axis]) - max(box[axis], other[axis]) for axis in (0, 1))
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


def ciou(one, other):
    value = iou(one, other)
    diagonal = (max(one[2], other[2]) - min(one[0], other[0])) ** 2 + (
        max(one[3], other[3]) - min(one[1], other[1])
    ) ** 2
    distance = ((one[0] + one[2] - other[0] - other[2]) / 2) ** 2 + ((one[1] + one[3] - other[1] - other[3]) / 2) ** 2
    angles = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (one, other)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return value - distance / diagonal - (v * v / (1 - value + v) if v else 0)


def reference(scales, targets, extent, *, threshold=0.5, box="mse", weights=(1, 1, 1, 1)):
    """Loops over pictures, scales, cells, anchors and objects; `scales` are nested lists [n][row][column][anchor]."""
    whole = 0.0
    height, width = extent
    per_scale = len(ANCHORS) // len(scales)
    for picture, rows in enumerate(targets):
        objects = [row for row in rows[1:] if row[0] >= 0]
        crowds = [row for row in rows[1:] if row[0] < -1]
        owned = {}
        for row in objects:
            w, h = row[3] - row[1], row[4] - row[2]
            shapes = [iou([0, 0, w, h], [0, 0, *anchor]) for anchor in ANCHORS]
            best = shapes.index(max(shapes))
            scale = len(scales) - 1 - best // per_scale
            cells_down, cells_across = len(scales[scale][picture]), len(scales[scale][picture][0])
            x = (row[1] + row[3]) / 2 / width * cells_across
            y = (row[2] + row[4]) / 2 / height * cells_down
            column, line = min(int(x), cells_across - 1), min(int(y), cells_down - 1)
            owned.setdefault((scale, line, column, best % per_scale), []).append(
                (row, x - column, y - line, ANCHORS[best])
            )
        for scale, of_pictures in enumerate(scales):
            lines = of_pictures[picture]
            for line, cells_of_line in enumerate(lines):
                for column, boxes in enumerate(cells_of_line):
                    for place, numbers in enumerate(boxes):
                        aw, ah = ANCHORS[(len(scales) - 1 - scale) * per_scale + place]
                        x = (sigmoid(numbers[0]) + column) * width / len(cells_of_line)
                        y = (sigmoid(numbers[1]) + line) * height / len(lines)
                        w, h = aw * math.exp(numbers[2]), ah * math.exp(numbers[3])
                        corners = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
                        mine = owned.get((scale, line, column, place), [])
                        if mine:
                            whole += weights[1] * softplus(-numbers[4])
                        elif not any(iou(corners, row[1:]) > threshold for row in objects) and not any(
                            covered(corners, row[1:]) > threshold for row in crowds
                        ):
                            whole += weights[2] * softplus(numbers[4])
                        for row, dx, dy, _ in mine:
                            ow, oh = row[3] - row[1], row[4] - row[2]
                            if box == "mse":
                                squares = (sigmoid(numbers[0]) - dx) ** 2 + (sigmoid(numbers[1]) - dy) ** 2
                                squares += (numbers[2] - math.log(ow / aw)) ** 2 + (numbers[3] - math.log(oh / ah)) ** 2
                                wrong = squares / 2
                            else:
                                wrong = 1 - ciou(corners, row[1:])
                            whole += weights[0] * wrong * (2 - ow * oh / (width * height))
                            for kind, score in enumerate(numbers[5:]):
                                whole += weights[3] * softplus(-score if kind == row[0] else score)
    return whole / len(targets)


def sample(n=2, most=4, seed=0, extent=EXTENT, scale=1.0):
    """Raw outputs of two scales (n, B (5 + C), rows, columns), and targets."""
    random = torch.Generator().manual_seed(seed)
    outputs = [
        scale * torch.randn(n, 3 * (5 + CLASSES), extent[0] // s, extent[1] // s, generator=random, dtype=torch.float64)
        for s in (32, 16)
    ]
    target = torch.zeros(n, 1 + most, 5, dtype=torch.float64)
    target[..., 0] = -1
    target[:, 0, 3], target[:, 0, 4] = extent[1], extent[0]
    limits = torch.tensor([extent[1], extent[0]])
    for picture in range(n):
        count = int(torch.randint(0, most + 1, (), generator=random))
        for place in range(1, count + 1):
            low = torch.rand(2, generator=random, dtype=torch.float64) * (limits - 8)
            high = torch.minimum(low + 4 + 40 * torch.rand(2, generator=random, dtype=torch.float64), limits)
            kind = int(torch.randint(-2, CLASSES, (), generator=random))
            target[picture, place] = torch.tensor([kind if kind != -1 else 0, *low, *high], dtype=torch.float64)
    return outputs, target


def joined(outputs):
    """All scales in one tensor (n, B (5 + C), cells), as the zoo's network gives them."""
    return torch.cat([part.flatten(2) for part in outputs], 2)


def by_box(outputs):
    """All scales in one tensor (n, 5 + C, boxes), boxes of a cell one behind another."""
    parts = [part.unflatten(1, (3, -1)).permute(0, 2, 3, 4, 1).flatten(2) for part in outputs]
    return torch.cat(parts, 2)


def nested(outputs):
    return [cells_.tolist() for cells_ in cells.scales(outputs, EXTENT, ANCHORS)]


@pytest.mark.parametrize("box", ["mse", "ciou"])
@pytest.mark.parametrize(
    "form", [joined, by_box, tuple, lambda outputs: tuple(outputs[::-1])], ids=["joined", "by_box", "tuple", "reversed"]
)
def test_as_plain_loops(box, form):
    for seed in range(6):
        outputs, target = sample(seed=seed)
        loss = YoloV3(anchors=ANCHORS, box=box)(form(outputs), target)
        assert loss.item() == pytest.approx(reference(nested(outputs), target.tolist(), EXTENT, box=box), rel=1e-12)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    threshold=st.floats(0, 1),
    weights=st.tuples(*[st.floats(0, 3)] * 4),
    box=st.sampled_from(["mse", "ciou"]),
)
def test_weights_and_threshold_are_what_they_say(seed, threshold, weights, box):
    outputs, target = sample(seed=seed, scale=0.5)
    names = ("box_weight", "object_weight", "background_weight", "class_weight")
    keys = dict(zip(names, weights, strict=True))
    loss = YoloV3(anchors=ANCHORS, box=box, ignore_threshold=threshold, **keys)(joined(outputs), target)
    wanted = reference(nested(outputs), target.tolist(), EXTENT, threshold=threshold, box=box, weights=weights)
    assert loss.item() == pytest.approx(wanted, rel=1e-10, abs=1e-12)


def test_a_box_that_is_right_costs_nothing():
    """An object of the size of its anchor in the middle of a cell, which the network is sure of."""
    outputs = [torch.full((1, 24, 2, 3), -40.0), torch.full((1, 24, 4, 6), -40.0)]
    fine = outputs[1].unflatten(1, (3, 8))
    fine[0, 1, :, 2, 4] = torch.tensor([0, 0, 0, 0, 40.0, -40, 40, -40])
    target = torch.full((1, 2, 5), -1.0)
    target[0, 0] = torch.tensor([-1, 0, 0, 96, 64])
    target[0, 1] = torch.tensor([1, 72 - 4.5, 40 - 3, 72 + 4.5, 40 + 3])
    for box in ("mse", "ciou"):
        assert YoloV3(anchors=ANCHORS, box=box)(tuple(outputs), target).item() == pytest.approx(0, abs=1e-5)


def test_a_small_box_on_a_crowd_need_not_deny_that_there_is_something():
    """Its overlap with the whole crowd is tiny; without one, all boxes deny it."""
    outputs = [torch.full((1, 24, 2, 3), -40.0), torch.full((1, 24, 4, 6), -40.0)]
    outputs[1].unflatten(1, (3, 8))[0, 0, :, 2, 4] = torch.tensor([0, 0, 0, 0, 9.0, -40, -40, -40])
    target = torch.tensor([[[-1, 0, 0, 96, 64], [-2, 0, 0, 96, 64.0]]])
    loss = YoloV3(anchors=ANCHORS)
    assert loss(tuple(outputs), target).item() == pytest.approx(0, abs=1e-5)
    assert loss(tuple(outputs), target[:, :1]).item() > 8


@pytest.mark.parametrize("box", ["mse", "ciou"])
def test_an_object_of_which_nothing_is_left_costs_a_finite_number(box):
    outputs, _ = sample(1)
    target = torch.tensor([[[-1, 0, 0, 96, 64], [1, 96, 20, 96, 30], [0, 5, 7, 5, 7.0]]])
    output = joined(outputs).float().requires_grad_()
    value = YoloV3(anchors=ANCHORS, box=box)(output, target)
    value.backward()
    assert value.isfinite()
    assert output.grad.isfinite().all()


def test_gradients():
    """Of `mse`; the weight of the proportions in CIoU counts as constant, so its slope is not that of its value."""
    outputs, target = sample(seed=3)
    loss = YoloV3(anchors=ANCHORS, ignore_threshold=1.0)
    output = joined(outputs).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target), output, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, target), output, fast_mode=True)


def test_ciou_leads_a_box_to_its_object():
    target = torch.tensor([[[-1, 0, 0, 96, 64], [0, 20, 9, 43, 29.0]]])
    output = joined(sample(1, seed=5)[0]).float().requires_grad_()
    loss = YoloV3(anchors=ANCHORS, box="ciou")
    optimizer = torch.optim.Adam([output], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss(output, target).backward()
        optimizer.step()
    scales = cells.scales(output, EXTENT, ANCHORS)
    found = torch.cat(
        [
            cells.corners(scale, cells.anchors_of(ANCHORS, place, scales), EXTENT).flatten(0, 3)
            for place, scale in enumerate(scales)
        ]
    )
    surest = torch.cat([scale[..., 4].flatten() for scale in scales]).argmax()
    assert iou(found[surest].tolist(), target[0, 1, 1:].tolist()) > 0.98


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 5), cuts=st.lists(st.integers(0, 5), max_size=4))
def test_split_is_harmless(assert_split_is_harmless, n, cuts):
    outputs, target = sample(n, seed=n)
    assert_split_is_harmless(YoloV3(anchors=ANCHORS), joined(outputs), target, [min(cut, n) for cut in cuts])


def test_no_sample_anywhere_costs_nothing():
    outputs, target = sample(1)
    output = joined(outputs)[:0].requires_grad_()
    value = YoloV3(anchors=ANCHORS)(output, target[:0])
    value.backward()
    assert value.item() == 0
    assert output.grad is not None


def test_pictures_without_objects_teach_that_there_are_none():
    outputs, target = sample(2, most=0)
    value = YoloV3(anchors=ANCHORS)(joined(outputs), target)
    every = torch.cat([part.unflatten(1, (3, -1))[:, :, 4].flatten(1) for part in outputs], 1)
    assert value.item() == pytest.approx(torch.nn.functional.softplus(every).sum(1).mean().item())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("box", ["mse", "ciou"])
def test_16_bits_and_huge_outputs(dtype, box):
    outputs, target = sample(2, seed=1, scale=2e4)
    output = joined(outputs).clamp(-3e4, 3e4).to(dtype).requires_grad_()
    value = YoloV3(anchors=ANCHORS, box=box)(output, target.float())
    value.backward()
    assert value.dtype is torch.float32
    assert value.isfinite()
    assert output.grad.isfinite().all()


def test_the_scales_of_the_original_network():
    """YOLOv3's file gives (3549, 255): 13^2, 26^2 and 52^2 cells."""
    scales = cells.scales(torch.empty(2, 255, 3549, device="meta"), (416, 416), YoloV3().anchors)
    assert [tuple(scale.shape) for scale in scales] == [(2, s, s, 3, 85) for s in (13, 26, 52)]
    found = torch.cat([cells.anchors_of(YoloV3().anchors, place, scales) for place in range(3)])
    assert found.shape == (9, 2)


def test_the_coarsest_scale_has_the_largest_anchors():
    outputs, _ = sample()
    scales = cells.scales(joined(outputs), EXTENT, ANCHORS)
    assert cells.anchors_of(ANCHORS, 0, scales).tolist() == ANCHORS[3:]
    assert cells.anchors_of(ANCHORS, 1, scales).tolist() == ANCHORS[:3]


def test_keras_outputs_with_an_axis_for_boxes():
    outputs, target = sample()
    apart = tuple(part.unflatten(1, (3, -1)).movedim(1, -1) for part in outputs)  # (n, 5 + C, rows, columns, B)
    loss = YoloV3(anchors=ANCHORS)
    assert loss(apart, target) == loss(joined(outputs), target)


@pytest.mark.parametrize(
    ("anchors", "output"),
    [
        (ANCHORS, torch.zeros(1, 24, 31)),
        ([*ANCHORS, [50, 50]], torch.zeros(1, 24, 30)),
        (ANCHORS, (torch.zeros(1, 15, 2, 3), torch.zeros(1, 15, 4, 6))),
    ],
)
def test_anchors_that_do_not_go_with_the_network_are_told(anchors, output):
    _, target = sample(1)
    with pytest.raises(ConfigError, match=r"loss.anchors: \d anchors do not go with a network output"):
        YoloV3(anchors=anchors)(output, target.float())


def test_a_class_without_an_output_is_told():
    outputs, target = sample(1, most=1)
    target[0, 1] = torch.tensor([7.0, 1, 1, 9, 9])
    with pytest.raises(ConfigError, match="object of class 7, but the network has outputs for 3 classes"):
        YoloV3(anchors=ANCHORS)(joined(outputs), target)


def test_targets_that_are_no_boxes_are_told():
    with pytest.raises(ConfigError, match="needs boxes, of target types `coco` or `yolo`"):
        YoloV3(anchors=ANCHORS)(joined(sample()[0]), torch.zeros(2))


def test_anchors_that_are_no_pairs_are_told():
    with pytest.raises(ConfigError, match="must list pairs of width and height"):
        YoloV3(anchors=[[1, 2, 3]])
