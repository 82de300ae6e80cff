import pytest
import torch
from torch import nn

from rmldnn.losses import cells
from rmldnn.losses.reduction import alone
from rmldnn.losses.yolov3 import YoloV3
from rmldnn.steps import Batch
from rmldnn.tasks.detection import Detection

ANCHORS = [[6, 6], [10, 10], [14, 14], [18, 18]]


class TwoScales(nn.Module):
    """Cells of 16 and of 8 pixels, two boxes each, two classes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2, 1),
            nn.ReLU(),
        )
        self.fine, self.coarse = nn.Conv2d(16, 14, 1), nn.Conv2d(16, 14, 2, 2)

    def forward(self, x):
        x = self.body(x)
        return self.coarse(x), self.fine(x)


def task(loss=True, **keys):
    keys = {"confidence": 0.05, "iou": 0.45, "most": 10, **keys}
    return Detection(YoloV3(anchors=ANCHORS) if loss else None, ANCHORS, **keys)


def scenes(count=12):
    """Grey pictures of 48 x 32 with a bright or a dark square, and its box."""
    random = torch.Generator().manual_seed(1)
    inputs = 0.5 + 0.05 * torch.rand(count, 3, 32, 48, generator=random)
    targets = torch.full((count, 2, 5), -1.0)
    for picture in range(count):
        side = int(torch.randint(6, 18, (), generator=random))
        left, top = (int(torch.randint(0, limit - side, (), generator=random)) for limit in (48, 32))
        kind = picture % 2
        inputs[picture, :, top : top + side, left : left + side] = 0.05 if kind else 0.95
        targets[picture] = torch.tensor([[-1, 0, 0, 48, 32], [kind, left, top, left + side, top + side]])
    return Batch([""] * count, inputs, targets, 0, count)


def test_it_learns_to_find_what_it_has_seen():
    network, batch, finding = TwoScales(), scenes(), task()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(300):
        optimizer.zero_grad()
        loss, _ = finding.forward(network, batch, alone)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        _, found = finding.forward(network, batch, alone)
    best, truth = found[:, 0], batch.targets[:, 1]
    right = (cells.overlap(best[:, :4], truth[:, 1:])[0] > 0.5) & (best[:, 5] == truth[:, 0])
    assert right.float().mean() >= 0.5  # chance finds next to nothing


def test_an_evaluation_gives_detections():
    with torch.no_grad():
        loss, found = task(most=7).forward(TwoScales(), scenes(3), alone)
    assert loss.ndim == 0
    assert found.shape == (3, 7, 6)


def test_a_prediction_has_no_loss():
    batch = scenes(2)
    batch.targets = None
    with torch.no_grad():
        loss, found = task(loss=False).forward(TwoScales(), batch, alone)
    assert loss is None
    assert found.shape == (2, 10, 6)


def test_learning_looks_for_no_detections():
    _, output = task().forward(TwoScales(), scenes(2), alone)
    assert output.shape == (2, 14, 2, 3)


def test_regularizers_count():
    plain = task().forward(TwoScales(), scenes(2), alone)[0]
    more = task(penalty=lambda: torch.tensor(2.5)).forward(TwoScales(), scenes(2), alone)[0]
    assert (more - plain).item() == pytest.approx(2.5, rel=1e-4)


def test_its_accuracy_does_not_add_up_over_batches():
    assert task().metric is None
