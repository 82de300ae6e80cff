"""Layers on the GPU give the numbers and the gradients of the CPU; those of Keras, which the CPU is compared with."""

import copy

import numpy as np
import pytest
import torch

from rmldnn import load_network
from tests.networks.test_oracle import FILES, title

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:.*on an already erased node"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
    pytest.mark.skipif(not FILES, reason="needs ../shared/oracle"),
]


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Products of 32-bit floats, not of tf32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def inputs_of(folder, module):
    arrays = [np.load(file) for file in sorted(folder.glob("input_?.npy"))] or [np.load(folder / "input.npy")]
    tensors = [torch.from_numpy(array) for array in arrays]
    return [x if module.channels_first or x.dim() <= 2 else x.movedim(-1, 1).contiguous() for x in tensors]


def results(module, inputs):
    """Outputs, and gradients of their sum of squares by the parameters."""
    outputs = module(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    real = [output for output in outputs if output.requires_grad]
    loss = sum((output.square().sum() for output in real), torch.zeros((), device=inputs[0].device))
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True) if real and parameters else ()
    return [tensor.detach().cpu() for tensor in (*outputs, *slopes) if tensor is not None]


@pytest.mark.parametrize("file", [file for file in FILES if file.name in ("model.h5", "model.keras")], ids=title)
def test_layers_give_the_numbers_of_the_cpu(file):
    module = load_network(file)
    inputs = inputs_of(file.parent, module)
    other = copy.deepcopy(module).cuda()
    expected, found = results(module, inputs), results(other, [x.cuda() for x in inputs])
    assert len(found) == len(expected)
    for place, (here, there) in enumerate(zip(found, expected, strict=True)):
        assert here.shape == there.shape
        error = (here.double() - there.double()).abs().max() if here.numel() else torch.zeros(())
        assert error <= 1e-4 * (1 + there.double().abs().max()), place
