import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.losses.cells import overlap
from rmldnn.tasks.suppression import detections, kept_boxes

ANCHORS = [[8, 8], [20, 20]]


def greedy(corners, kinds, iou):
    """One picture, box by box, as it is told in textbooks."""
    kept = []
    for place in range(len(corners)):
        if all(kinds[place] != kinds[other] or overlap(corners[place], corners[other])[0] <= iou for other in kept):
            kept.append(place)
    return [place in kept for place in range(len(corners))]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 3), count=st.integers(0, 40), iou=st.floats(0, 1))
def test_as_one_box_after_the_other(seed, n, count, iou):
    random = torch.Generator().manual_seed(seed)
    low = 20 * torch.rand(n, count, 2, generator=random)
    corners = torch.cat([low, low + 1 + 12 * torch.rand(n, count, 2, generator=random)], -1)
    kinds = torch.randint(0, 2, (n, count), generator=random)
    kept = kept_boxes(corners, kinds, iou)
    assert kept.tolist() == [greedy(*one, iou) for one in zip(corners, kinds, strict=True)]


def test_a_long_chain_of_neighbours():
    """Each box overlaps the next one: every other one remains."""
    left = torch.arange(50.0)[:, None]
    corners = torch.cat([left, 0 * left, left + 1.9, 0 * left + 1], 1)[None]
    kept = kept_boxes(corners, torch.zeros(1, 50, dtype=torch.long), 0.1)
    assert kept[0].tolist() == [place % 2 == 0 for place in range(50)]


def scales(classes=2):
    """Two scales without any object: 2 x 2 cells of 32 pixels, 4 x 4 of 16."""
    return [torch.full((1, s, s, 1, 5 + classes), -20.0) for s in (2, 4)]


def found(of, **keys):
    return detections(of, ANCHORS, (64, 64), **{"confidence": 0.05, "iou": 0.45, "most": 4, **keys})[0]


def test_a_box_is_where_its_cell_and_its_anchor_are():
    of = scales()
    of[1][0, 1, 2, 0] = torch.tensor([0.0, 0, 0, 0, 20, -20, 20])
    rows = found(of)
    torch.testing.assert_close(rows[0], torch.tensor([36.0, 20, 44, 28, 1, 1]))
    assert rows[1:].tolist() == [[0, 0, 0, 0, 0, -1]] * 3


def test_scores_are_those_of_object_and_class():
    of = scales()
    of[0][0, 0, 0, 0] = torch.tensor([0.0, 0, 0, 0, 0, 0, -20])
    assert found(of)[0, 4:].tolist() == [0.25, 0]
    assert (found(of, confidence=0.26)[:, 5] == -1).all()


def test_a_box_may_be_of_two_classes():
    of = scales()
    of[0][0, 0, 0, 0] = torch.tensor([0.0, 0, 0, 0, 20, 20, 3])
    assert found(of)[:, 5].tolist() == [0, 1, -1, -1]


def test_the_best_of_many():
    of = scales()
    of[1][0, :, :, 0, 4:6] = torch.linspace(0, 3, 16).view(4, 4, 1)
    rows = found(of)
    assert (rows[:, 5] == 0).all()
    assert rows[:, 4].tolist() == sorted(rows[:, 4].tolist(), reverse=True)
    assert rows[0, 4] == torch.tensor(3.0).sigmoid() ** 2


def test_boxes_end_with_the_picture():
    of = scales()
    of[0][0, 0, 0, 0] = torch.tensor([-20.0, 0, 1, 3, 20, 20, -20])
    left, top, right, bottom = found(of)[0, :4].tolist()
    assert (left, top, bottom) == (0, 0, 64)
    assert 0 < right < 64


def test_no_picture():
    empty = [scale[:0] for scale in scales()]
    assert detections(empty, ANCHORS, (64, 64), confidence=0.05, iou=0.45, most=4).shape == (0, 4, 6)


def test_outputs_that_are_huge_or_no_numbers_give_no_box_that_is_infinite():
    of = scales()
    of[0][0, 0, 0, 0] = torch.tensor([0.0, 0, 1e6, -1e6, 1e6, 1e6, 1e6])
    assert found(of).isfinite().all()
