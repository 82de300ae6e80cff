"""Recurrent layers, their cells and wrappers, against loops of numpy in Keras' arithmetic."""

import numpy as np
import pytest
import torch

TIME, FEATURES, UNITS = 5, 3, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numbers(net):
    """Fills the weights; as arrays in Keras' shapes, by path and name."""
    random = torch.Generator().manual_seed(0)
    weights = {}
    for _, variable, parameter in net.double().eval().variables():
        view = variable.view(parameter)
        view.copy_(torch.randn(view.shape, generator=random, dtype=torch.float64))
        weights[f"{variable.path}/{variable.name}"] = view.numpy()
    return weights


def sample():
    return torch.randn(2, FEATURES, TIME, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def lstm(x, kernel, recurrent, bias, hidden=None, memory=None, gate=sigmoid, value=np.tanh):
    """Outputs (N, T, units) and last states for x (N, T, features)."""
    units = recurrent.shape[0]
    hidden = np.zeros((len(x), units)) if hidden is None else hidden
    memory = np.zeros((len(x), units)) if memory is None else memory
    outputs = []
    for step in np.moveaxis(x, 1, 0):
        i, f, c, o = np.split(step @ kernel + hidden @ recurrent + bias, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * value(c)
        hidden = gate(o) * value(memory)
        outputs.append(hidden)
    return np.stack(outputs, 1), hidden, memory


def gru(x, kernel, recurrent, bias, reset_after):
    units = recurrent.shape[0]
    hidden = np.zeros((len(x), units))
    into, again = bias if reset_after else (bias, np.zeros(3 * units))
    for step in np.moveaxis(x, 1, 0):
        entering, product = step @ kernel + into, hidden @ recurrent + again
        z = sigmoid(entering[:, :units] + product[:, :units])
        r = sigmoid(entering[:, units : 2 * units] + product[:, units : 2 * units])
        reset = r * product[:, 2 * units :] if reset_after else (r * hidden) @ recurrent[:, 2 * units :]
        hidden = z * hidden + (1 - z) * np.tanh(entering[:, 2 * units :] + reset)
    return hidden


def close(got, want):
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12, atol=1e-12)


def keras(x):
    return np.moveaxis(x.numpy(), 1, -1)


@pytest.mark.parametrize(
    ("activation", "value"), [("tanh", np.tanh), ("relu", lambda x: np.maximum(x, 0)), ("linear", lambda x: x)]
)
def test_lstm_is_its_formula(build, activation, value):
    net = build("LSTM", (TIME, FEATURES), units=UNITS, activation=activation)
    weights = numbers(net)
    outputs, *_ = lstm(keras(sample()), *weights.values(), value=value)
    close(net(sample()), outputs[:, -1])


def test_lstm_gives_sequence_and_states(build):
    net = build("LSTM", (None, FEATURES), units=UNITS, return_sequences=True, return_state=True)
    weights = numbers(net)
    outputs, hidden, memory = lstm(keras(sample()), *weights.values())
    assert net.output_shapes == [[None, None, UNITS]]
    close(net(sample()), outputs.transpose(0, 2, 1))
    layer = net.get_submodule("layer")
    for got, want in zip(layer(sample())[1:], (hidden, memory), strict=True):
        close(got, want)


def test_go_backwards_gives_outputs_in_the_order_of_reading(build):
    net = build("LSTM", (TIME, FEATURES), units=UNITS, return_sequences=True, go_backwards=True)
    outputs, *_ = lstm(keras(sample())[:, ::-1], *numbers(net).values())
    close(net(sample()), outputs.transpose(0, 2, 1))


def test_states_enter(build):
    net = build("LSTM", (TIME, FEATURES), (UNITS,), (UNITS,), units=UNITS)
    states = [torch.randn(2, UNITS, dtype=torch.float64) for _ in range(2)]
    outputs, *_ = lstm(keras(sample()), *numbers(net).values(), *(state.numpy() for state in states))
    close(net(sample(), *states), outputs[:, -1])


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_is_its_formula(build, reset_after):
    net = build("GRU", (TIME, FEATURES), units=UNITS, reset_after=reset_after)
    hidden = gru(keras(sample()), *numbers(net).values(), reset_after)
    close(net(sample()), hidden)


@pytest.mark.parametrize("activation", ["tanh", "softsign"])
def test_simple_rnn_is_its_formula(build, activation):
    value = {"tanh": np.tanh, "softsign": lambda x: x / (1 + np.abs(x))}[activation]
    net = build("SimpleRNN", (TIME, FEATURES), units=UNITS, activation=activation)
    kernel, recurrent, bias = numbers(net).values()
    hidden = np.zeros((2, UNITS))
    for step in np.moveaxis(keras(sample()), 1, 0):
        hidden = value(step @ kernel + hidden @ recurrent + bias)
    close(net(sample()), hidden)


@pytest.mark.parametrize("class_name", ["LSTM", "GRU", "SimpleRNN"])
def test_fused_kernel_and_loop_have_the_same_gradients(build, class_name, monkeypatch):
    net = build(class_name, (TIME, FEATURES), units=UNITS, return_sequences=True)
    numbers(net)
    layer = net.get_submodule("layer")

    def gradients():
        x = sample().requires_grad_()
        return torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])

    fused = gradients()
    monkeypatch.setattr(type(layer), "fusible", False)
    for got, want in zip(fused, gradients(), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("keys", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
@pytest.mark.parametrize("class_name", ["LSTM", "GRU", "SimpleRNN"])
def test_what_is_dropped_is_dropped_in_training_only(build, class_name, keys):
    net = build(class_name, (TIME, FEATURES), units=UNITS, **keys)
    plain = build(class_name, (TIME, FEATURES), units=UNITS)
    numbers(net), numbers(plain)
    close(net(sample()), plain(sample()).detach().numpy())
    assert not torch.allclose(net.train()(sample()), plain(sample()))


def test_dropped_inputs_are_the_same_at_all_steps(build):
    net = build("SimpleRNN", (TIME, FEATURES), units=FEATURES, activation="linear", use_bias=False, dropout=0.5,
                return_sequences=True)  # fmt: skip
    weights = numbers(net)
    weights["cell/kernel"][:], weights["cell/recurrent_kernel"][:] = np.eye(FEATURES), 0
    dropped = net.train()(torch.ones(8, FEATURES, TIME, dtype=torch.float64))
    assert (dropped == dropped[:, :, :1]).all()


def test_bias_of_the_forget_gate_begins_at_one(build):
    net = build("LSTM", (TIME, FEATURES), units=2, bias_initializer="zeros")
    assert net.get_submodule("layer").bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_stacked_cells_are_layers_on_top_of_each_other(build):
    cells = [{"class_name": "LSTMCell", "config": {"units": units}} for units in (UNITS, 2)]
    net = build("RNN", (TIME, FEATURES), cell={"class_name": "StackedRNNCells", "config": {"cells": cells}})
    weights = list(numbers(net).values())
    first, *_ = lstm(keras(sample()), *weights[:3])
    second, *_ = lstm(first, *weights[3:])
    close(net(sample()), second[:, -1])


def test_paths_are_those_of_keras_3(build):
    inner = {"class_name": "Bidirectional", "config": {"layer": {"class_name": "GRU", "config": {"units": 2}}}}
    net = build("TimeDistributed", (2, TIME, FEATURES), layer=inner)
    paths = [variable.path for _, variable, _ in net.variables()]
    assert paths == [*["layer/forward_layer/cell"] * 3, *["layer/backward_layer/cell"] * 3]


@pytest.mark.parametrize(
    ("mode", "merge"),
    [
        ("sum", np.add),
        ("mul", np.multiply),
        ("ave", lambda a, b: (a + b) / 2),
        ("concat", lambda a, b: np.concatenate([a, b], -1)),
    ],
)
def test_bidirectional_merges_both_ways(build, mode, merge):
    inner = {"class_name": "LSTM", "config": {"units": UNITS, "return_sequences": True}}
    net = build("Bidirectional", (TIME, FEATURES), layer=inner, merge_mode=mode)
    weights = list(numbers(net).values())
    forward, *_ = lstm(keras(sample()), *weights[:3])
    backward, *_ = lstm(keras(sample())[:, ::-1], *weights[3:])
    close(net(sample()), merge(forward, backward[:, ::-1]).transpose(0, 2, 1))


def test_time_distributed_softmax_is_along_the_channels(build):
    inner = {"class_name": "Dense", "config": {"units": 2, "activation": "softmax"}}
    net = build("TimeDistributed", (None, FEATURES), layer=inner)
    kernel, bias = numbers(net).values()
    shares = np.exp(keras(sample()) @ kernel + bias)
    close(net(sample()), (shares / shares.sum(-1, keepdims=True)).transpose(0, 2, 1))


def test_time_distributed_keeps_penalties_and_frozen_weights(build):
    keys = {"units": 2, "kernel_regularizer": "l2", "trainable": False}
    net = build("TimeDistributed", (TIME, FEATURES), layer={"class_name": "Dense", "config": keys})
    (_, kernel, parameter), _ = net.variables()
    assert (kernel.penalty, kernel.trainable, parameter.requires_grad) == ((0.0, 0.01), False, False)


def test_frozen_batch_norm_in_time_distributed_keeps_its_statistics(build):
    layer = {"class_name": "BatchNormalization", "config": {"trainable": False}}
    net = build("TimeDistributed", (TIME, FEATURES), layer=layer)
    net.train()(torch.randn(2, FEATURES, TIME))
    assert net.get_submodule("layer").layer.running_mean.tolist() == [0] * FEATURES


def test_conv_lstm_of_one_place_is_an_lstm(build):
    net = build("ConvLSTM1D", (TIME, 1, FEATURES), filters=UNITS, kernel_size=1, recurrent_activation="sigmoid")
    kernel, recurrent, bias = numbers(net).values()
    outputs, *_ = lstm(keras(sample()), kernel[0], recurrent[0], bias)
    close(net(sample()[..., None]), outputs[:, -1][..., None])


def test_conv_lstm_of_channels_first_moves_axes_only(build):
    keys = {"filters": 2, "kernel_size": 2, "padding": "same", "return_sequences": True}
    plain = build("ConvLSTM2D", (TIME, 4, 6, FEATURES), **keys)
    turned = build("ConvLSTM2D", (TIME, FEATURES, 4, 6), data_format="channels_first", **keys)
    numbers(plain), numbers(turned)
    x = torch.randn(2, TIME, FEATURES, 4, 6, dtype=torch.float64)  # such a network takes tensors as Keras has them
    close(turned(x), plain(x.movedim(1, 2)).movedim(2, 1).detach().numpy())


def test_conv_lstm_takes_images_of_any_size(build):
    net = build("ConvLSTM2D", (None, None, None, 2), filters=3, kernel_size=3, strides=2, padding="same")
    assert net(torch.randn(1, 2, 4, 7, 9)).shape == (1, 3, 4, 5)


def test_refuses_stateful_layers(complaint):
    assert "`stateful`" in complaint("LSTM", (TIME, FEATURES), units=2, stateful=True)


def test_refuses_states_of_other_units(complaint):
    assert "must be of 4, got 3" in complaint("GRU", (TIME, FEATURES), (3,), units=4)


def test_refuses_unknown_keys_of_the_layer_inside(complaint):
    inner = {"class_name": "LSTM", "config": {"unit": 2}}
    assert "did you mean `units`" in complaint("Bidirectional", (TIME, FEATURES), layer=inner)


def test_refuses_to_merge_outputs_of_other_units(complaint):
    layers = [{"class_name": "GRU", "config": {"units": units, "go_backwards": units == 2}} for units in (3, 2)]
    text = complaint("Bidirectional", (TIME, FEATURES), layer=layers[0], backward_layer=layers[1], merge_mode="sum")
    assert "cannot merge outputs of 3 and 2" in text
