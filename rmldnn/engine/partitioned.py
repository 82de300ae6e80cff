"""How gradients become updates where every process keeps a part of the numbers (ZeRO, Rajbhandari et al. 2020).

DeepSpeed adds up the gradients, measures and cuts them, and lets the optimizer take its step on flat pieces. What is
saved does not tell of it: it is the state that the optimizer of one process would have, from which any number of
processes goes on at any stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.engine.average import Average
from rmldnn.engine.compute import Compute
from rmldnn.engine.learning import Objective, marked, own_kernels
from rmldnn.engine.pieces import Pieces, Pieces3
from rmldnn.engine.scattered import Scattered
from rmldnn.engine.swapping import Swapped
from rmldnn.steps import Batch


def by_parameter(optimizer: torch.optim.Optimizer, total: Any) -> None:
    """Makes an optimizer that scales the step of each tensor work on pieces of tensors: one group for each of them.

    Args:
        optimizer: Others than that are left as they are.
        total: Sums a tensor over all processes.
    """
    if getattr(optimizer, "by_tensor", False):
        optimizer.param_groups[:] = [
            {**group, "params": [parameter]} for group in optimizer.param_groups for parameter in group["params"]
        ]
        optimizer.total = total  # type: ignore[attr-defined]


class Partitioned:
    """Updates parameters by a DeepSpeed engine of stage 1, 2 or 3.

    Args:
        deepspeed: The engine.
        optimizer: The one that it was made for, which holds flat pieces since.
        groups: The optimizer's groups before that, parameters as the network has them.
        compute: How.
        gathered: DeepSpeed's context inside of which parameters are whole.
    """

    def __init__(
        self,
        deepspeed: Any,
        optimizer: torch.optim.Optimizer,
        groups: Sequence[Mapping[str, Any]],
        compute: Compute,
        gathered: Callable[..., AbstractContextManager[None]],
    ) -> None:
        self.optimizer = optimizer
        self.parameters: list[nn.Parameter] = [parameter for group in groups for parameter in group["params"]]
        self._deepspeed = deepspeed
        zero = deepspeed.optimizer
        whole = Swapped if getattr(zero, "swap_optimizer", False) else Pieces3
        self._pieces = whole(zero, gathered) if deepspeed.zero_optimization_stage() == 3 else Pieces(zero)
        self._pieces.clear(self.parameters)
        self._groups = groups
        self._scale = LossScale() if compute.precision == "fp16" else None
        self.average = _Average(self._pieces, compute.ema) if compute.ema is not None else None

    def learn(self, objective: Objective, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """One update by the gradient of the mean loss of some batches, each weighed by its samples.

        Returns:
            That loss, and the L2 norm of its gradient before it is cut; scalars on the device.
        """
        zero = self._deepspeed.optimizer
        scale = self._scale.value if self._scale is not None else 1.0
        mean: Tensor | None = None
        first = size = 0
        for batch, last in marked(batches):
            self._deepspeed.set_gradient_accumulation_boundary(last)
            loss = objective(batch)
            first = first or batch.size
            size += batch.size
            share = loss if batch.size == first else loss * (batch.size / first)
            zero.override_loss_scale(scale)
            self._deepspeed.backward(share, scale_wrt_gas=False)
            mean = share.detach() if mean is None else mean + share.detach()
        assert mean is not None  # noqa: S101 - an update has a batch
        zero.override_loss_scale(scale * size / first)  # what DeepSpeed divides the gradients by
        self._deepspeed.step()
        if self._scale is not None:
            self._scale.update(overflow=bool(zero.overflow))
        if self.average is not None:
            self.average.update()
        norm = torch.as_tensor(self._deepspeed.get_global_grad_norm(), device=mean.device)
        return (mean if size == first else mean * (first / size)), norm

    def evaluating(self, yes: bool) -> None:
        """Puts the weights that are to be evaluated and saved in place of those that learn, or back."""
        if self.average is not None:
            self.average.swap(yes)

    def weights(self, network: nn.Module) -> dict[str, Tensor | Scattered]:
        """The weights and statistics of the network."""
        return self._pieces.weights(network)

    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place, the same in all processes."""
        self._pieces.load_weights(network, weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the weights, the same as of one process, scattered."""
        number, state, groups = 0, {}, []
        for group, now in zip(self._groups, self._by_group(), strict=True):
            keys = {key: value for key, value in now.items() if key != "params"}
            groups.append({**keys, "params": list(range(number, number + len(group["params"])))})
            for parameter in group["params"]:
                flat = self._pieces.flat(parameter)
                kept = self.optimizer.state.get(flat, {})
                entry = {key: self._whole(parameter, flat, value) for key, value in kept.items()}
                state.update({number: entry} if entry else {})
                number += 1
        result: dict[str, Any] = {"optimizer": {"state": state, "param_groups": groups}}
        if self.average is not None:
            means = [self._whole(each, self._pieces.flat(each), self.average.of(each)) for each in self.parameters]
            result["average"] = {"means": means, "updates": self.average.updates}
        if self._scale is not None:
            result["scaler"] = self._scale.state_dict()
        return result

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint, whose weights the network has already."""
        self._pieces.refresh()
        self._pieces.clear(self.parameters)
        kept = state["optimizer"]
        sizes = [len(group["params"]) for group in self._groups]
        if [len(group["params"]) for group in kept["param_groups"]] != sizes:
            raise ValueError("its optimizer has other groups of parameters")
        for group, now in zip(kept["param_groups"], self._by_group(all_of_them=True), strict=True):
            for one in now:
                one.update({key: value for key, value in group.items() if key != "params"} | own_kernels(one))
        for number, parameter in enumerate(self.parameters):
            flat = self._pieces.flat(parameter)
            with self._pieces.here(parameter):
                for key, value in kept["state"].get(number, {}).items():
                    self._take(parameter, flat, key, value)
        if self.average is not None and "average" in state:
            self.average.updates = state["average"]["updates"]
            for parameter, mean in zip(self.parameters, state["average"]["means"], strict=True):
                self._pieces.put(parameter, self.average.of(parameter), mean)
        if self._scale is not None and "scaler" in state:
            self._scale.load_state_dict(state["scaler"])

    def _by_group(self, *, all_of_them: bool = False) -> list[Any]:
        """The optimizer's groups of today for each of those that it was made with: the first one, or all."""
        now, result = list(self.optimizer.param_groups), []
        split = len(now) != len(self._groups)
        for group in self._groups:
            mine = [now.pop(0) for _ in (group["params"] if split else [group])]
            result.append(mine if all_of_them else mine[0])
        return result

    def _whole(self, parameter: nn.Parameter, flat: Tensor, value: Any) -> Any:
        """What is kept for a parameter, scattered; what is no number for each weight, as it is."""
        if isinstance(value, Tensor) and value.shape == flat.shape:
            return self._pieces.scattered(parameter, value)
        return value.detach().cpu().clone() if isinstance(value, Tensor) else value  # one for each: a file keeps ties

    def _take(self, parameter: nn.Parameter, flat: Tensor, key: str, value: Any) -> None:
        mine = self.optimizer.state[flat]
        if isinstance(value, Tensor) and value.shape == self._pieces.shape(parameter) and value.ndim:
            self._pieces.put(parameter, mine.setdefault(key, torch.zeros_like(flat)), value)
        elif isinstance(value, Tensor) and any(group.get("fused") for group in self.optimizer.param_groups):
            mine[key] = value.to(flat.device, copy=True)
        else:
            mine[key] = value.clone() if isinstance(value, Tensor) else value


class _Average(Average):
    """The running mean of this process's parts of the weights, which change places by value, as others look at them."""

    def __init__(self, pieces: Pieces, decay: float) -> None:
        super().__init__([nn.Parameter(flat, requires_grad=False) for flat in pieces.all()], decay)
        self._pieces = pieces

    def of(self, parameter: nn.Parameter) -> Tensor:
        """The flat tensor of means that belongs to a parameter."""
        flat = self._pieces.flat(parameter)
        return next(mean for mean, each in zip(self._means, self._pieces.all(), strict=True) if each is flat)

    @torch.no_grad()
    def swap(self, to_means: bool) -> None:
        """Lets weights and means change places."""
        if to_means != self.swapped:
            self.swapped = to_means
            for parameter, mean in zip(self._parameters, self._means, strict=True):
                weights = parameter.clone()
                parameter.copy_(mean)
                mean.copy_(weights)
            self._pieces.publish()


class LossScale:
    """What a loss is multiplied by so that small gradients survive in fp16: halved when one overflows.

    As torch's GradScaler, whose state it shares: doubled after 2000 steps without.
    """

    def __init__(self) -> None:
        self.value = 65536.0
        self._steps = 0

    def update(self, *, overflow: bool) -> None:
        """Takes note of a step; all processes agree on whether it overflowed."""
        self._steps = 0 if overflow else self._steps + 1
        if overflow:
            self.value /= 2
        elif self._steps == _PATIENCE:
            self.value, self._steps = self.value * 2, 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "scale": self.value,
            "growth_factor": 2.0,
            "backoff_factor": 0.5,
            "growth_interval": _PATIENCE,
            "_growth_tracker": self._steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.value, self._steps = float(state["scale"]), int(state["_growth_tracker"])


_PATIENCE = 2000
