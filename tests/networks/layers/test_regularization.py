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


@pytest.mark.parametrize(
    ("noise_shape", "shared"),
    [([None, 1, 6], (2,)), ([None, 4, 1], (1,)), ([1, None, None], (0,)), ([None, 1, 1], (1, 2))],
)
def test_a_noise_shape_lets_elements_share_their_fate(build, noise_shape, shared):
    torch.manual_seed(0)
    y = build("Dropout", [4, 6], rate=0.5, noise_shape=noise_shape).train()(torch.ones(16, 6, 4))
    assert torch.equal(y.amin(shared), y.amax(shared))
    assert set(y.unique().tolist()) == {0.0, 2.0}


def test_a_noise_shape_without_shared_axes_is_plain_dropout(build):
    assert build("Dropout", [4], rate=0.5, noise_shape=[None, 4]).layer.shared == ()


def test_a_noise_shape_must_fit(complaint):
    assert "noise_shape [null, 3]" in complaint("Dropout", [4], rate=0.5, noise_shape=[None, 3])


@pytest.mark.parametrize(
    ("name", "config", "deviation"),
    [
        ("GaussianNoise", {"stddev": 0.5}, 0.5),
        ("GaussianDropout", {"rate": 0.2}, 1.0),
        ("AlphaDropout", {"rate": 0.2}, 0),
    ],
)
def test_noise(build, name, config, deviation):
    torch.manual_seed(0)
    x = torch.full((1, 20000), 2.0) if deviation else torch.randn(1, 20000)
    module = build(name, [20000], **config).train()
    y = module(x)
    assert y.mean().item() == pytest.approx(x.mean().item(), abs=0.05)
    assert y.std().item() == pytest.approx(deviation or 1, abs=0.05)
    assert torch.equal(module.eval()(x), x)


def test_penalties_of_results_are_refused(complaint):
    assert "penalties of results are not applied" in complaint("ActivityRegularization", [4], l2=0.1)


def test_no_penalty_is_nothing(build):
    x = torch.rand(2, 4)
    assert build("ActivityRegularization", [4], l1=0.0, l2=0.0)(x) is x


def test_everything_may_be_dropped(build):
    x = torch.ones(2, 4, requires_grad=True)
    y = build("Dropout", [4], rate=1)(x)
    y.sum().backward()
    assert not y.any()
    assert not x.grad.any()
