"""How gradients become updates where every process holds all parameters: added up, scaled, measured, cut, applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rmldnn.engine.average import Average
from rmldnn.engine.compute import Compute
from rmldnn.engine.gradient import gradient_norm
from rmldnn.engine.scattered import replaced
from rmldnn.steps import Batch

Objective = Callable[[Batch], Tensor]
"""The loss of a global batch, the same on every process, from this process's share."""


class Learning:
    """Updates parameters.

    Args:
        optimizer: Holds the parameters. One with `needs_closure` evaluates the objective by itself.
        compute: How.
        device: Where the parameters are.
        backward: Adds the gradient of a loss to the parameters', as that of the whole run.
        apply: Lets the optimizer take its step, where that is more than a call of it.
        announce: Is told of each batch whether it is the last one before that.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        compute: Compute,
        device: torch.device,
        backward: Callable[[Tensor], Any] = Tensor.backward,
        apply: Callable[[], Any] | None = None,
        announce: Callable[[bool], Any] | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.average = Average(self.parameters, compute.ema) if compute.ema is not None else None
        self._scaler = torch.amp.GradScaler(device.type) if compute.precision == "fp16" else None
        self._clip = compute.gradient_clip
        self._backward = backward
        self._apply = apply or optimizer.step
        self._announce = announce or (lambda _: None)
        self._learned: list[Tensor] | None = None  # weights that learn, while others are evaluated

    def learn(self, objective: Objective, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """One update by the gradient of the mean loss of some batches, each weighed by its samples.

        Returns:
            That loss, and the L2 norm of its gradient before it is cut; scalars on the device.
        """
        if getattr(self.optimizer, "needs_closure", False):
            return self._minimize(objective, list(batches))
        mean: Tensor | None = None
        first = size = 0
        for batch, last in marked(batches):
            self._announce(last)
            loss = objective(batch)
            first = first or batch.size
            size += batch.size
            share = loss if batch.size == first else loss * (batch.size / first)
            self._backward(share if self._scaler is None else self._scaler.scale(share))
            mean = share.detach() if mean is None else mean + share.detach()
        assert mean is not None  # noqa: S101 - an update has a batch
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        if size != first:
            mean = mean * (first / size)
            torch._foreach_mul_([p.grad for p in self.parameters if p.grad is not None], first / size)
        norm = gradient_norm(self.parameters)
        if self._clip is not None:
            shorten(self.parameters, norm, self._clip)
        self._step()
        for parameter in self.parameters:  # what optimizer.zero_grad does, without its hooks
            parameter.grad = None
        if self.average is not None:
            self.average.update()
        return mean, norm

    def evaluating(self, yes: bool) -> None:
        """Puts the weights that are to be evaluated and saved in place of those that learn, or back."""
        if self.average is not None:
            self.average.swap(yes)
        if hasattr(self.optimizer, "eval"):  # schedule-free optimizers keep two sets of weights
            self._turn(yes)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the weights."""
        state: dict[str, Any] = {"optimizer": self.optimizer.state_dict()}
        if self.average is not None:
            state["average"] = self.average.state_dict()
        if self._scaler is not None:
            state["scaler"] = self._scaler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        go_on(self.optimizer, state["optimizer"])
        if self.average is not None and "average" in state:
            self.average.load_state_dict(state["average"])
        if self._scaler is not None and "scaler" in state:
            self._scaler.load_state_dict(state["scaler"])

    @torch.no_grad()
    def _turn(self, yes: bool) -> None:
        """Lets the optimizer put its other weights in place, and later the very same bits back, which it cannot."""
        optimizer: Any = self.optimizer
        if yes and self._learned is None:
            self._learned = [parameter.clone() for parameter in self.parameters]
            optimizer.eval()
        elif not yes:
            optimizer.train()
            if self._learned is not None:
                torch._foreach_copy_(self.parameters, self._learned)
                self._learned = None

    def _step(self) -> None:
        if self._scaler is None:
            self._apply()
        else:
            self._scaler.step(self.optimizer)
            self._scaler.update()

    def _minimize(self, objective: Objective, batches: list[Batch]) -> tuple[Tensor, Tensor]:
        """Lets an optimizer that evaluates the objective by itself do so."""
        size = sum(batch.size for batch in batches)

        def closure() -> Tensor:
            losses = [objective(batch) * (batch.size / size) for batch in batches]
            return torch.stack(losses).sum() if len(losses) > 1 else losses[0]

        step: Any = self.optimizer.step
        loss: Tensor = step(closure)
        norm = getattr(self.optimizer, "grad_norm", None)
        if self.average is not None:
            self.average.update()
        return loss.detach(), norm if norm is not None else torch.zeros_like(loss)


def go_on(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Lets an optimizer go on from the state of one like it, which may have worked on another device by other kernels.

    Raises:
        ValueError: Its groups of parameters are others.
    """
    now, then = optimizer.param_groups, state["param_groups"]
    groups = [{**theirs, **own_kernels(ours)} for ours, theirs in zip(now, then, strict=False)]
    optimizer.load_state_dict({**state, "param_groups": groups if len(now) == len(then) else then})
    for kept in optimizer.state.values():  # which are those of the state where no other device asks for others
        kept.update(replaced(kept, lambda _, tensor: tensor.clone() if tensor.device.type == "cpu" else tensor))


def own_kernels(group: Mapping[str, Any]) -> dict[str, Any]:
    """What a group says of the kernels that suit its device."""
    return {key: group[key] for key in ("foreach", "fused", "capturable", "differentiable") if key in group}


def marked(batches: Iterable[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Batches, and whether each is the last."""
    before: Batch | None = None
    for batch in batches:
        if before is not None:
            yield before, False
        before = batch
    if before is not None:
        yield before, True


def shorten(parameters: Iterable[Tensor], norm: Tensor, limit: float) -> None:
    """Scales gradients so that their norm is at most a limit; does not wait for the device.

    Args:
        parameters: Whose gradients.
        norm: The L2 norm of all gradients together.
        limit: What it may be.
    """
    factor = (limit / norm).clamp(max=1.0)
    torch._foreach_mul_([parameter.grad for parameter in parameters if parameter.grad is not None], factor)
