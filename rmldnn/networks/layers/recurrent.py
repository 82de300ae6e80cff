"""Recurrent layers; tensors (N, T, C) of Keras are (N, C, T) here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.calls import bound, slots
from rmldnn.networks.cells import GRU, LSTM, SimpleRNN
from rmldnn.networks.graph import Arguments
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Shapes
from rmldnn.networks.layout import size, spatial_input
from rmldnn.networks.recurrence import Dropping, Form, Nonlinearities, Recurrence
from rmldnn.networks.variable import Variable
from rmldnn.types import Count, Fraction

PATH = "cell"
"""Where Keras 3 keeps the weights of a recurrent layer."""


@component("LSTM")
def lstm(
    shapes: Shapes,
    arguments: Arguments,
    *,
    units: Count,
    activation: str | dict[str, Any] | None = "tanh",
    recurrent_activation: str | dict[str, Any] | None = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    unit_forget_bias: bool = True,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    implementation: int = 2,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
    use_cudnn: bool | str = "auto",  # noqa: ARG001
) -> Layer:
    """Long short-term memory along a sequence.

    Args:
        shapes: Keras shape of the sequences, then those of the two states that enter, if they do.
        arguments: How they are handed over.
        units: Channels of the result.
        activation: For new values.
        recurrent_activation: For the gates.
        use_bias: Whether vectors are added.
        kernel_initializer: Initial weights of the inputs; torch's own if not given.
        recurrent_initializer: Initial weights of the states; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
        unit_forget_bias: Whether the bias of the forget gate begins at 1, where `bias_initializer` is given.
        dropout: Share of the inputs dropped in training, the same at all steps.
        recurrent_dropout: Share of the states dropped in training, the same at all steps.
        implementation: With 1 each gate drops other inputs; Keras sets it if states are dropped.
        return_sequences: Whether all outputs are given, else the last.
        return_state: Whether the last states are given as further results.
        go_backwards: Whether the sequence is read from its end; outputs are in the order of reading.
        stateful: Whether states outlive a batch; refused.
        time_major: Whether the batch comes second; refused.
        unroll: How Keras computes it.
        zero_output_for_mask: What Keras gives where a mask is 0.
        use_cudnn: How Keras computes it.
    """
    form = formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major)
    features = sequence(shapes[0])
    variables = weights(4, features, units, kernel_initializer, recurrent_initializer)
    bias = (4 * units,) if use_bias else None
    if use_bias:
        variables.append(Variable("bias", "bias", (4 * units,), initializer=bias_initializer, path=PATH))
    module = initialized(
        LSTM,
        form,
        features,
        units,
        bias,
        Nonlinearities(activations.find(activation), activations.find(recurrent_activation)),
        dropping(dropout, recurrent_dropout, implementation),
        variables=variables,
    )
    if module.bias is not None and unit_forget_bias and bias_initializer is not None:
        variables[-1].view(module.bias)[units : 2 * units] = 1.0
    return recurrent(module, shapes, arguments, variables, [(units,), (units,)])


@component("GRU")
def gru(
    shapes: Shapes,
    arguments: Arguments,
    *,
    units: Count,
    activation: str | dict[str, Any] | None = "tanh",
    recurrent_activation: str | dict[str, Any] | None = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    implementation: int = 2,
    reset_after: bool = True,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
    use_cudnn: bool | str = "auto",  # noqa: ARG001
) -> Layer:
    """Gated recurrent units along a sequence.

    With `reset_after` the reset gate multiplies the product of the state, as in cuDNN, else the state itself. Other
    keys as in `lstm`.
    """
    form = formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major)
    features = sequence(shapes[0])
    variables = weights(3, features, units, kernel_initializer, recurrent_initializer)
    bias = ((2, 3 * units) if reset_after else (3 * units,)) if use_bias else None
    if bias is not None:
        variables.append(Variable("bias", "bias", bias, initializer=bias_initializer, path=PATH))
    module = initialized(
        GRU,
        reset_after,
        form,
        features,
        units,
        bias,
        Nonlinearities(activations.find(activation), activations.find(recurrent_activation)),
        dropping(dropout, recurrent_dropout, implementation),
        variables=variables,
    )
    return recurrent(module, shapes, arguments, variables, [(units,)])


@component("SimpleRNN")
def simple_rnn(
    shapes: Shapes,
    arguments: Arguments,
    *,
    units: Count,
    activation: str | dict[str, Any] | None = "tanh",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
) -> Layer:
    """The simplest recurrent layer: the activation of a sum of two products; keys as in `lstm`."""
    form = formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major)
    features = sequence(shapes[0])
    variables = weights(1, features, units, kernel_initializer, recurrent_initializer)
    bias = (units,) if use_bias else None
    if use_bias:
        variables.append(Variable("bias", "bias", (units,), initializer=bias_initializer, path=PATH))
    nonlinearities = Nonlinearities(activations.find(activation))
    drops = Dropping(dropout, recurrent_dropout)
    module = initialized(SimpleRNN, form, features, units, bias, nonlinearities, drops, variables=variables)
    return recurrent(module, shapes, arguments, variables, [(units,)])


def formed(sequences: bool, states: bool, backwards: bool, *, stateful: bool, time_major: bool) -> Form:
    """The form that keys ask for.

    Raises:
        NetworkError: The layer remembers batches, or has the batch second.
    """
    if stateful:
        raise NetworkError("`stateful` layers remember the batch before, which is not done here; set it to false")
    if time_major:
        raise NetworkError("`time_major` puts the batch second; set it to false, and Permute inputs that are so")
    return Form(sequences, states, backwards)


def sequence(shape: Shape) -> int:
    """The channels of a sequence, which must be known."""
    *_, features = spatial_input(shape, 1)
    return int(features)


def weights(gates: int, features: int, units: int, kernel: Any, recurrent: Any) -> list[Variable]:
    """The two matrices of a cell, with their initializers."""
    return [
        Variable("kernel", "weight_ih", (features, gates * units), (1, 0), kernel, PATH),
        Variable("recurrent_kernel", "weight_hh", (units, gates * units), (1, 0), recurrent, PATH),
    ]


def dropping(inputs: float, states: float, implementation: int) -> Dropping:
    """What a cell of several gates drops."""
    return Dropping(inputs, states, per_gate=implementation == 1 or states > 0)


def recurrent(
    module: Recurrence,
    shapes: Shapes,
    arguments: Arguments,
    variables: Sequence[Variable],
    states: Sequence[Shape],
    output: Shape = (),
) -> Layer:
    """The layer of a module that reads sequences.

    Args:
        module: The module with its weights.
        shapes: Keras shapes of the sequences and of states that enter.
        arguments: How they are handed over.
        variables: The module's weights.
        states: Keras shapes of the states.
        output: Keras shape of the output of one step; that of the first state if empty.
    """
    entering(shapes, arguments, states)
    output = output or states[0]
    result = (shapes[0][0], *output) if module.form.sequences else output
    return Layer(result, (module,), variables=tuple(variables), others=tuple(states) if module.form.states else ())


def entering(shapes: Shapes, arguments: Arguments, states: Sequence[Shape]) -> None:
    """Refuses a call with states that do not fit, or with more than states.

    Args:
        shapes: Keras shapes of the sequences and of states that enter.
        arguments: How they are handed over.
        states: Keras shapes of the states.
    """
    given = bound(arguments, ("sequences", "initial_state"))
    if list(slots(list(given.values()))) != list(range(len(shapes))):
        raise NetworkError("must be called with a sequence, then its `initial_state`, a list; export it so")
    fits = len(shapes) == 1 + len(states) and all(
        len(got) == len(want) and all(None in pair or len(set(pair)) == 1 for pair in zip(got, want, strict=True))
        for got, want in zip(shapes[1:], states, strict=True)
    )
    if len(shapes) > 1 and not fits:
        listed = " and ".join(size(shape) for shape in states)
        raise NetworkError(
            f"`initial_state` must be of {listed}, got {' and '.join(size(shape) for shape in shapes[1:])}; "
            "change `units`, or the layers that give the states"
        )
