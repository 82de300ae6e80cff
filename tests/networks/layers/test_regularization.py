import pytest
import torch


@pytest.mark.parametrize("name", ["Dropout", "SpatialDropout2D"])
def test_evaluation_changes_nothing(build, name):
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(build(name, [4, 4, 3], rate=0.5).eval()(x), x)


def test_training_keeps_the_mean(build):
    torch.manual_seed(0)
    assert build("Dropout", [10000], rate=0.25)(torch.ones(1, 10000)).mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_spatial_dropout_drops_whole_channels(build, axes):
    torch.manual_seed(0)
    y = build(f"SpatialDropout{axes}D", [4] * axes + [20], rate=0.5)(torch.ones(2, 20, *[4] * axes)).flatten(2)
    assert torch.equal(y.amin(2), y.amax(2))
    assert set(y.unique().tolist()) == {0.0, 2.0}


def test_rate_is_a_fraction(complaint):
    assert "must be a number at least 0 and at most 1, got 1.5" in complaint("Dropout", [4], rate=1.5)


def test_spatial_dropout_needs_its_axes(complaint):
    assert "needs 2 spatial axes" in complaint("SpatialDropout2D", [4, 4], rate=0.5)
