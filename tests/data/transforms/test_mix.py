import numpy as np
import pytest
import torch

from rmldnn.data.order import sample_generator
from rmldnn.data.transforms.mix import cutmix, mixup
from rmldnn.errors import ConfigError


def draws(count):
    return [sample_generator(1, 1, index, 0) for index in range(count)]


@pytest.mark.parametrize("mixing", [mixup(alpha=1.0), cutmix(alpha=1.0)], ids=["mixup", "cutmix"])
@pytest.mark.parametrize("extent", [(50,), (40, 50), (16, 17, 18)])
def test_the_part_of_a_partner_is_its_weight_in_the_classes(mixing, extent):
    samples, partners = torch.ones(9, 2, *extent), torch.zeros(9, 2, *extent)
    weights = mixing.mix(torch.tensor([[1.0, 0.0]] * 9), torch.tensor([[0.0, 1.0]] * 9), draws(9), extent)
    mixed = mixing.mix(samples, partners, draws(9), extent)
    torch.testing.assert_close(mixed.flatten(1).mean(1), weights[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(weights.sum(1), torch.ones(9))
    assert weights[:, 0].std() > 0.1
    assert samples.min() == 1


def test_mixup_blends_with_weights_of_the_beta_distribution():
    weights = mixup(alpha=0.4).mix(torch.ones(4000, 1), torch.zeros(4000, 1), draws(4000), (8,))
    assert weights.mean().item() == pytest.approx(0.5, abs=0.03)
    assert weights.var().item() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)


def test_cutmix_pastes_a_window():
    mixed = cutmix(alpha=1.0).mix(torch.zeros(50, 1, 20, 30), torch.ones(50, 1, 20, 30), draws(50), (20, 30))
    for sample in mixed[:, 0].numpy():
        rows, columns = np.nonzero(sample)
        assert len(rows) == (0 if not len(rows) else (np.ptp(rows) + 1) * (np.ptp(columns) + 1))
    assert set(mixed.unique().tolist()) == {0, 1}


def test_cutmix_pastes_masks_where_it_pastes_inputs():
    masks = torch.arange(8 * 400).reshape(8, 20, 20)
    partners = masks.flip(0)
    mixing = cutmix(alpha=1.0)
    mixed = mixing.mix(masks, partners, draws(8), (20, 20))
    dense = mixing.mix(masks[:, None].double(), partners[:, None].double(), draws(8), (20, 20))
    assert mixed.dtype == torch.int64
    assert torch.equal(mixed.double(), dense[:, 0])


def test_cutmix_blends_targets_of_another_extent():
    target = cutmix(alpha=1.0).mix(torch.ones(6, 3, 5, 5), torch.zeros(6, 3, 5, 5), draws(6), (20, 20))
    weights = cutmix(alpha=1.0).mix(torch.ones(6, 1), torch.zeros(6, 1), draws(6), (20, 20))
    torch.testing.assert_close(target.flatten(1).mean(1), weights[:, 0])


def test_class_weights_of_as_many_classes_as_pixels_are_not_pasted():
    weights = cutmix(alpha=1.0).mix(torch.ones(6, 20), torch.zeros(6, 20), draws(6), (20,))
    assert torch.equal(weights, weights[:, :1].expand(6, 20))


@pytest.mark.parametrize("extent", [(4, 4), (20, 20)])
def test_class_indices_cannot_be_blended(extent):
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    with pytest.raises(ConfigError, match=r"data\.transforms\.mixup: cannot blend .*; `cutmix` takes them"):
        mixup(alpha=1.0).mix(masks, masks, draws(2), extent)


def test_cutmix_of_masks_of_another_extent():
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    with pytest.raises(ConfigError, match=r"data\.transforms\.cutmix: .*another size than inputs"):
        cutmix(alpha=1.0).mix(masks, masks, draws(2), (20, 20))


@pytest.mark.parametrize("mixing", [mixup(alpha=1.0), cutmix(alpha=1.0)], ids=["mixup", "cutmix"])
def test_an_empty_share_of_a_batch(mixing):
    assert mixing.mix(torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 4, 4), [], (4, 4)).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("mixing", [mixup(alpha=1.0), cutmix(alpha=1.0)], ids=["mixup", "cutmix"])
def test_channels_last_stays(mixing):
    samples = torch.rand(3, 3, 8, 8).to(memory_format=torch.channels_last)
    mixed = mixing.mix(samples, samples.flip(0).to(memory_format=torch.channels_last), draws(3), (8, 8))
    assert mixed.is_contiguous(memory_format=torch.channels_last)
