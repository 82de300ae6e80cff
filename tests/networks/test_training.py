"""Ten steps of gradient descent give the losses that `tools/keras_training.py` had Keras write down."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from rmldnn.engine.local import LocalEngine
from rmldnn.losses.mse import mse
from rmldnn.networks.compile import network
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

LOSSES = json.loads((Path(__file__).parent / "training.json").read_text())
SPEC = importlib.util.spec_from_file_location(
    "keras_training", Path(__file__).resolve().parents[2] / "tools" / "keras_training.py"
)
keras_training = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(keras_training)


def channels_first(array):
    tensor = torch.from_numpy(array)
    return tensor.movedim(-1, 1).contiguous() if tensor.dim() > 2 else tensor


@pytest.mark.parametrize("case", LOSSES)
def test_losses_are_those_of_keras(case):
    module = network(layers=keras_training.CASES[case]())
    for layer, variable, parameter in module.variables():
        drawn = keras_training.drawn(case, layer.name, variable.name, variable.shape)
        variable.view(parameter).copy_(torch.from_numpy(drawn))
    shapes = (tuple(module.input_shapes[0][1:]), tuple(module.output_shapes[0][1:]))
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = sgd(trainable, learning_rate=keras_training.LEARNING_RATE, momentum=keras_training.MOMENTUM)
    task = Supervised(mse, penalty=module.penalty)
    losses = []
    with LocalEngine() as engine:
        ready = engine.prepare(engine.place(module), optimizer)
        engine.evaluating(False)
        for step in range(keras_training.STEPS):
            inputs, targets = map(channels_first, keras_training.batch(case, step, shapes))
            batch = Batch([], inputs, targets, 0, len(inputs))
            loss, _ = engine.learn(lambda batch: task.forward(ready, batch, engine.total)[0], [batch])
            losses.append(loss.item())
    assert losses == pytest.approx(LOSSES[case], rel=1e-3)
