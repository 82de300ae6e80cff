"""Where the parts of parameters are that DeepSpeed keeps in flat tensors, and how they come together and go apart.

A tensor comes together in one process, and one tensor at a time: no process holds all of what all of them have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rmldnn.engine.scattered import Scattered


class Pieces:
    """Where the parts of parameters are, in stages 1 and 2: a flat tensor for each group of parameters.

    Args:
        zero: DeepSpeed's optimizer.
    """

    def __init__(self, zero: Any) -> None:
        self._zero = zero
        self._place = {id(p): place for place, group in enumerate(zero.bit16_groups) for p in group}

    def all(self) -> list[Tensor]:
        """This process's flat tensors."""
        return list(self._zero.single_partition_of_fp32_groups)

    def flat(self, parameter: nn.Parameter) -> Tensor:
        """The flat tensor that a part of a parameter is in, or would be."""
        return self.all()[self._place[id(parameter)]]

    def shape(self, parameter: nn.Parameter) -> torch.Size:
        """Of the whole."""
        return parameter.shape

    def scattered(self, parameter: nn.Parameter, flat: Tensor) -> Scattered:
        """A tensor like a parameter, parts of which are in the processes' flat tensors."""
        return Scattered(self.shape(parameter), flat.dtype, partial(self._collect, parameter, flat))

    def _collect(self, parameter: nn.Parameter, flat: Tensor, rank: int) -> Tensor | None:
        whole = torch.zeros(parameter.numel(), dtype=flat.dtype, device=parameter.device)
        mapping: Any = parameter._hp_mapping  # type: ignore[attr-defined]
        if mapping is not None:
            here, there = mapping.lp_fragment_address, mapping.hp_fragment_address
            whole[here.start : here.start + here.numel] = flat[there.start : there.start + there.numel]
        dist.reduce(whole, rank)
        return whole.view_as(parameter).cpu() if dist.get_rank() == rank else None

    def put(self, parameter: nn.Parameter, flat: Tensor, value: Tensor) -> None:
        """Puts this process's part of a tensor into its flat tensor."""
        mapping: Any = parameter._hp_mapping  # type: ignore[attr-defined]
        if mapping is not None:
            here, there = mapping.lp_fragment_address, mapping.hp_fragment_address
            part = value.reshape(-1)[here.start : here.start + here.numel]
            flat.data[there.start : there.start + there.numel].copy_(part)

    def clear(self, parameters: Sequence[nn.Parameter]) -> None:
        """Makes what belongs to no parameter zero, as norms of flat tensors count it; here it is."""

    def publish(self) -> None:
        """Lets the parameters be what the flat tensors are."""
        self._zero.update_lp_params()

    def refresh(self) -> None:
        """Lets the flat tensors be what the parameters are."""
        self._zero.refresh_fp32_params()

    def here(self, parameter: nn.Parameter) -> AbstractContextManager[None]:
        """Inside, what belongs to a parameter is in memory; it is anyway."""
        del parameter
        return nullcontext()

    def weights(self, network: nn.Module) -> dict[str, Tensor | Scattered]:
        """The weights and statistics of the network, as its `state_dict` names them; here every process has all."""
        return network.state_dict()

    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place, the same in all processes."""
        network.load_state_dict(weights)


class Pieces3(Pieces):
    """The same in stage 3: flat tensors of many parameters each, which are the parameters too."""

    def __init__(self, zero: Any, gathered: Callable[..., AbstractContextManager[None]]) -> None:
        self._zero = zero
        self._gathered = gathered

    def all(self) -> list[Tensor]:
        """This process's flat tensors."""
        return list(self._zero.fp32_partitioned_groups_flat)

    def flat(self, parameter: nn.Parameter) -> Tensor:
        """The flat tensor that a part of a parameter is in."""
        return self.all()[self._address(parameter)[0]]

    def shape(self, parameter: nn.Parameter) -> torch.Size:
        """Of the whole, of which the parameter itself has nothing."""
        return parameter.ds_shape  # type: ignore[attr-defined, no-any-return]

    def _collect(self, parameter: nn.Parameter, flat: Tensor, rank: int) -> Tensor | None:
        _, start, count = self._address(parameter)
        part = flat[start : start + count].to(parameter.device)
        if dist.get_rank() != rank:
            return dist.gather(part, dst=rank)  # type: ignore[no-any-return]
        parts = part.new_empty(dist.get_world_size(), count)
        dist.gather(part, list(parts.unbind()), rank)
        return parts.view(-1)[: self.shape(parameter).numel()].view(self.shape(parameter)).cpu()

    def put(self, parameter: nn.Parameter, flat: Tensor, value: Tensor) -> None:
        """Puts this process's part of a tensor into its flat tensor: an equal share of it, in order."""
        _, start, count = self._address(parameter)
        part = value.reshape(-1)[dist.get_rank() * count : (dist.get_rank() + 1) * count]  # the last may be short
        flat.data[start : start + part.numel()].copy_(part)

    def clear(self, parameters: Sequence[nn.Parameter]) -> None:
        """Makes zero what rounds shares up."""
        for parameter in parameters:
            place, start, count = self._address(parameter)
            own = min(max(self.shape(parameter).numel() - dist.get_rank() * count, 0), count)
            self.all()[place].data[start + own : start + count].zero_()  # nobody has written there

    def publish(self) -> None:
        """Lets the parts of the parameters be what the flat tensors are."""
        for place in range(len(self.all())):
            self._zero._reassign_or_swap_out_partitioned_parameters(place)
        self._zero.empty_partition_cache()  # what was brought together is old

    def weights(self, network: nn.Module) -> dict[str, Tensor | Scattered]:
        """The weights, scattered, and the statistics, which every process has."""
        found: dict[str, Tensor | Scattered] = network.state_dict()
        for name, each in network.named_parameters(remove_duplicate=False):
            found[name] = Scattered(self.shape(each), each.dtype, partial(self._collect_weight, each))
        return found

    def _collect_weight(self, parameter: nn.Parameter, rank: int) -> Tensor | None:
        with self._gathered([parameter]):
            return parameter.detach().to("cpu", copy=True) if dist.get_rank() == rank else None

    @torch.no_grad()
    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place; each is whole for a moment, and processes take turns at reading them."""
        for number, (name, parameter) in enumerate(network.named_parameters()):
            reader = number % dist.get_world_size()  # whom the others hear it from
            with self._gathered([parameter], modifier_rank=reader):
                if dist.get_rank() == reader:
                    parameter.copy_(weights[name])
        for name, statistic in network.named_buffers():
            if name in weights:
                statistic.copy_(weights[name])

    def _address(self, parameter: nn.Parameter) -> tuple[int, int, int]:
        return self._zero.grad_position[self._zero.get_param_id(parameter)]  # type: ignore[no-any-return]
