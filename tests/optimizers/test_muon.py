import pytest
import torch

from rmldnn.optimizers.muon import muon, orthogonalised


def learn(optimizer, parameters, num_steps=4):
    for step in range(num_steps):
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.cos(
                parameter.detach() * (step + 2) + 9 * torch.arange(parameter.numel()).view_as(parameter) ** 2 + index
            )
        optimizer.step()


def matrix(*shape):
    return torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape).clone().requires_grad_()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch 2.9 has the reference")
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("shape", [(4, 7), (7, 4)])
def test_a_matrix_moves_as_by_torch(shape, nesterov):
    ours, theirs = matrix(*shape), matrix(*shape)
    learn(muon([ours], learning_rate=0.02, momentum=0.9, nesterov=nesterov, weight_decay=0.3), [ours])
    keys = {"momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.3, "adjust_lr_fn": "match_rms_adamw"}
    learn(torch.optim.Muon([theirs], lr=0.02, **keys), [theirs])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)  # torch computes the step, of 0.02, in bfloat16


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30), (1, 9)])
def test_all_singular_values_of_a_step_are_near_one(shape):
    torch.manual_seed(0)
    step = torch.randn(shape, dtype=torch.float64)
    values = torch.linalg.svdvals(orthogonalised(step, 5))
    known = torch.linalg.svdvals(step / step.norm()) > 0.01  # what is smaller needs more iterations
    assert values[known].min() > 0.65 and values.max() < 1.25


def test_a_kernel_is_the_matrix_of_its_channels():
    kernel, flat = matrix(4, 2, 3, 3), matrix(4, 18)
    learn(muon([kernel]), [kernel])
    learn(muon([flat]), [flat])
    torch.testing.assert_close(kernel.flatten(1), flat)


def test_a_kernel_whose_channels_are_last_in_memory_moves_alike():
    kernel = matrix(4, 2, 3, 3)
    last = kernel.detach().clone(memory_format=torch.channels_last).requires_grad_()
    learn(muon([kernel]), [kernel])
    learn(muon([last]), [last])
    torch.testing.assert_close(last, kernel)


def test_adamw_moves_vectors_and_what_is_not_to_be_orthogonal():
    vector, head = matrix(5), matrix(3, 2)
    keys = {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.9, "weight_decay": 0.3, "eps": 1e-4}
    learn(muon([{"params": [vector]}, {"params": [head], "orthogonal": False}], **keys), [vector, head])
    others = [matrix(5), matrix(3, 2)]
    learn(torch.optim.AdamW(others, lr=0.02, betas=(0.8, 0.9), weight_decay=0.3, eps=1e-4), others)
    torch.testing.assert_close([vector, head], others)


def test_steps_are_as_large_as_those_of_adamw():
    torch.manual_seed(0)
    weight = torch.randn(64, 256, requires_grad=True)
    before = weight.detach().clone()
    weight.grad = torch.randn(64, 256)
    muon([weight], learning_rate=0.01, weight_decay=0.0).step()
    assert (weight - before).square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_it_learns_a_small_network():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 2)
    )
    inputs = torch.randn(64, 1, 8, 8)
    targets = (inputs.mean((1, 2, 3)) > 0).long()
    optimizer = muon(network.parameters(), learning_rate=0.01)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
