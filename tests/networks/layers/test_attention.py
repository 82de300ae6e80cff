"""Attention against its formulas in numpy, one head and one sample after the other."""

import numpy as np
import pytest
import torch

from rmldnn.networks.compile import network

QUERIES, SOURCES, CHANNELS = 4, 5, 6


def numbers(net):
    random = torch.Generator().manual_seed(0)
    weights = {}
    for _, variable, parameter in net.double().eval().variables():
        view = variable.view(parameter)
        view.copy_(torch.randn(view.shape, generator=random, dtype=torch.float64))
        weights[f"{variable.path}/{variable.name}"] = view.numpy()
    return weights


def sample(places, seed=1):
    return torch.randn(2, CHANNELS, places, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def keras(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def called(class_name, keywords, *shapes, **config):
    """A network of one layer that is called with query, value and keywords, in which a number stands for an input."""
    inputs = [
        {"class_name": "InputLayer", "config": {"name": f"in{index}", "batch_input_shape": [None, *shape]}}
        for index, shape in enumerate(shapes)
    ]
    words = {key: value if isinstance(value, bool) else [f"in{value}", 0, 0] for key, value in keywords.items()}
    inbound = [[["in0", 0, 0, words]]] if "value" in words else [[["in0", 0, 0, words], ["in1", 0, 0, words]]]
    layer = {"class_name": class_name, "config": {"name": "layer", **config}, "inbound_nodes": inbound}
    ends = [["layer", 0, 0], *([["layer", 0, 1]] if words.get("return_attention_scores") else [])]
    names = [[f"in{index}", 0, 0] for index in range(len(shapes))]
    graph = {"layers": [*inputs, layer], "input_layers": names, "output_layers": ends}
    return network(layers={"class_name": "Functional", "config": graph, "keras_version": "2.15.0"})


def heads(query, value, weights, allowed=True, prefix=""):
    """Result and shares of multi-head attention."""
    q = np.einsum("ntc,chk->nthk", query, weights[f"{prefix}query_dense/kernel"]) + weights[f"{prefix}query_dense/bias"]
    k = np.einsum("nsc,chk->nshk", value, weights[f"{prefix}key_dense/kernel"]) + weights[f"{prefix}key_dense/bias"]
    v = np.einsum("nsc,chk->nshk", value, weights[f"{prefix}value_dense/kernel"]) + weights[f"{prefix}value_dense/bias"]
    times = q.shape[2] // k.shape[2]
    k, v = k.repeat(times, 2), v.repeat(times, 2)
    shares = softmax(np.where(allowed, np.einsum("nthk,nshk->nhts", q, k) / np.sqrt(q.shape[-1]), -1e300))
    seen = np.einsum("nhts,nshk->nthk", shares, v)
    out = np.einsum("nthk,hkc->ntc", seen, weights[f"{prefix}output_dense/kernel"])
    return out + weights[f"{prefix}output_dense/bias"], shares


def close(got, want):
    np.testing.assert_allclose(keras(got), want, rtol=1e-11, atol=1e-11)


SHAPES = (QUERIES, CHANNELS), (SOURCES, CHANNELS)


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_is_its_formula(causal):
    keys = {"num_heads": 2, "key_dim": 3, "value_dim": 5}
    net = called("MultiHeadAttention", {"value": 1, "use_causal_mask": causal}, *SHAPES, **keys)
    query, value = sample(QUERIES), sample(SOURCES, 2)
    allowed = np.tri(QUERIES, SOURCES, dtype=bool) if causal else True
    want, _ = heads(keras(query), keras(value), numbers(net), allowed)
    close(net(query, value), want)


def test_multi_head_attention_gives_its_shares():
    words = {"value": 1, "return_attention_scores": True}
    net = called("MultiHeadAttention", words, *SHAPES, num_heads=2, key_dim=3)
    query, value = sample(QUERIES), sample(SOURCES, 2)
    expected = heads(keras(query), keras(value), numbers(net))
    for got, want in zip(net(query, value), expected, strict=True):
        close(got, want)


def test_a_query_sees_only_what_its_mask_allows():
    words = {"value": 1, "attention_mask": 2}
    net = called("MultiHeadAttention", words, *SHAPES, (QUERIES, SOURCES), num_heads=2, key_dim=3)
    query, value = sample(QUERIES), sample(SOURCES, 2)
    mask = np.random.default_rng(0).integers(0, 2, (2, QUERIES, SOURCES)) | np.eye(QUERIES, SOURCES, dtype=int)
    want, _ = heads(keras(query), keras(value), numbers(net), mask[:, None].astype(bool))
    close(net(query, value, torch.from_numpy(mask.transpose(0, 2, 1))), want)


def test_a_query_that_may_see_nothing_stays_finite():
    words = {"value": 1, "attention_mask": 2}
    net = called("MultiHeadAttention", words, *SHAPES, (QUERIES, SOURCES), num_heads=2, key_dim=3)
    result = net(sample(QUERIES).float(), sample(SOURCES).float(), torch.zeros(2, SOURCES, QUERIES))
    assert result.isfinite().all()


def test_attention_along_one_of_two_axes_is_attention_of_each_row(build):
    net = build("MultiHeadAttention", (3, QUERIES, CHANNELS), (3, QUERIES, CHANNELS), num_heads=2, key_dim=3,
                attention_axes=[2])  # fmt: skip
    x = torch.randn(2, CHANNELS, 3, QUERIES, dtype=torch.float64)
    weights = numbers(net)
    rows = [heads(row, row, weights)[0] for row in keras(x).transpose(1, 0, 2, 3)]
    close(net(x, x), np.stack(rows, 1))


def test_grouped_queries_share_keys_and_values(build):
    keys = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}
    net = build("GroupQueryAttention", *SHAPES, **keys)
    query, value = sample(QUERIES), sample(SOURCES, 2)
    want, _ = heads(keras(query), keras(value), numbers(net), prefix="_")
    close(net(query, value), want)


@pytest.mark.parametrize("mode", ["dot", "concat"])
def test_luong_attention_is_its_formula(build, mode):
    net = build("Attention", *SHAPES, use_scale=True, score_mode=mode)
    scale, weight = [*numbers(net).values(), None][:2]
    query, value = keras(sample(QUERIES)), keras(sample(SOURCES, 2))
    if mode == "dot":
        scores = scale * query @ value.transpose(0, 2, 1)
    else:
        scores = weight * np.tanh(scale * (query[:, :, None] + value[:, None])).sum(-1)
    close(net(sample(QUERIES), sample(SOURCES, 2)), softmax(scores) @ value)


def test_additive_attention_is_its_formula(build):
    net = build("AdditiveAttention", *SHAPES)
    (scale,) = numbers(net).values()
    query, value = keras(sample(QUERIES)), keras(sample(SOURCES, 2))
    scores = (scale * np.tanh(query[:, :, None] + value[:, None])).sum(-1)
    close(net(sample(QUERIES), sample(SOURCES, 2)), softmax(scores) @ value)


def test_what_is_dropped_is_dropped_in_training_only(build):
    net = build("MultiHeadAttention", *SHAPES, num_heads=2, key_dim=3, dropout=0.5)
    numbers(net)
    call = sample(QUERIES), sample(SOURCES)
    assert torch.equal(net(*call), net(*call))
    assert not torch.allclose(net.train()(*call), net(*call))


def test_refuses_heads_that_cannot_be_shared(complaint):
    keys = {"num_query_heads": 3, "num_key_value_heads": 2, "head_dim": 3}
    assert "must be a multiple" in complaint("GroupQueryAttention", *SHAPES, **keys)


def test_refuses_queries_and_keys_of_other_channels(complaint):
    assert "the same number" in complaint("Attention", (QUERIES, 6), (SOURCES, 5))


def test_refuses_axes_without_places(complaint):
    assert "is no axis of places" in complaint("MultiHeadAttention", *SHAPES, num_heads=2, key_dim=3, attention_axes=2)
