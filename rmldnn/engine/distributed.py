"""The engine of many processes, on one node or several: data-parallel training by DeepSpeed.

Every process computes on its share of a batch. With s_r the sums that process r contributes to a loss, the loss of the
global batch is L = f(S), S = s_1 + ... + s_P, and its gradient the sum over r of f'(S) ds_r. DeepSpeed divides the sum
of the processes' gradients by P, so each process must hand it P f'(S) ds_r: `total` multiplies by P on the way back.
That is also what differentiating an all-reduce gives, its communication saved, as every process has the same f'(S).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future

from rmldnn.engine import cores
from rmldnn.engine.batch_norm import Share, synchronize
from rmldnn.engine.buckets import Buckets
from rmldnn.engine.compute import Compute
from rmldnn.engine.deepspeed import contiguous, disk_reader, initialize, summing
from rmldnn.engine.heartbeat import UNREACHABLE, Heartbeat, farewell
from rmldnn.engine.learning import Learning
from rmldnn.engine.lines import Lines
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.partitioned import Partitioned, by_parameter
from rmldnn.engine.placement import Placement, Presence, placement
from rmldnn.engine.prepared import last_channels, prepared
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.rendezvous import meet
from rmldnn.engine.route import interface
from rmldnn.engine.scattered import Scattered
from rmldnn.engine.silence import quiet
from rmldnn.engine.swapping import room
from rmldnn.engine.zero import Zero
from rmldnn.errors import LaunchError, RmldnnError, StoppedError
from rmldnn.steps import Batch

PATIENCE = timedelta(minutes=30)
"""How long a process waits for another that is alive, and computes, reads or writes."""
_AFTER = 2.0
"""Seconds for which a process that ends because of another one lets that one go first."""


class DistributedEngine(LocalEngine):
    """One of several processes, each on its own GPU, or each with its share of the processor's cores.

    Args:
        ranks: Who this process is among how many.
        zero: What the processes share; each keeps everything by default.
        timeout: Seconds to wait for the other processes to appear, and later for any sign of life of theirs.

    Raises:
        LaunchError: Some process did not appear in time, or there are fewer GPUs than processes.
    """

    def __init__(self, ranks: Ranks, *, zero: Zero | None = None, timeout: float = 120.0) -> None:
        self.rank = ranks.rank
        self.world = ranks.world
        self.device = _device(ranks)
        self._ranks = ranks
        self._disk = ExitStack()
        self._lines = Lines()
        with quiet(errors=True) as voice, meet(ranks, timeout) as (store, address, port):
            self._heartbeat = Heartbeat(ranks, store, address, timeout, voice, self._lines.cut)
            leads = interface(self._heartbeat.local_address)
            Ranks.export_defaults(GLOO_SOCKET_IFNAME=leads or "")  # the host's own name may lead nowhere
            ranks.export(address, port)
            with self._beginning(), self._lines.noted():
                backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
                dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.world, timeout=PATIENCE)
        with self._beginning():
            place = self._introduce()
        self.devices: Sequence[str] = place.devices
        self.local_world, self.cores, self.placement = place.neighbours, place.cores, place.words
        # DeepSpeed calls functions of torch by names that are to go.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.distributed")
        self.zero = zero or Zero()
        """What the processes share."""
        self._network: nn.Module | None = None
        self._learning: Learning | Partitioned | None = None

    def prepare(
        self, network: nn.Module, optimizer: torch.optim.Optimizer | None = None, compute: Compute | None = None
    ) -> nn.Module:
        """Gives all processes the weights of rank 0, and the optimizer to DeepSpeed."""
        # Of further groups of Gloo; NCCL ends by itself.
        with self._lines.noted() if self.device.type == "cpu" else nullcontext():
            return self._prepared(network, optimizer, compute)

    def _prepared(
        self, network: nn.Module, optimizer: torch.optim.Optimizer | None, compute: Compute | None
    ) -> nn.Module:
        compute = compute or Compute()
        self._network = self.place(network)
        for tensor in (*network.parameters(), *network.buffers()):
            _broadcast(tensor.detach())
        if optimizer is None:
            return _Replica(prepared(network, compute, self.device))
        share = Share(twice=getattr(optimizer, "needs_closure", False))
        synchronized = self.world > 1 and compute.sync_batchnorm and synchronize(network, share)
        stage = self.zero.stage
        if not stage and compute.channels_last:  # pieces of flat tensors have no such order
            last_channels(network)
        run = prepared(network, compute, self.device)
        if getattr(optimizer, "needs_closure", False):  # it takes gradients by itself
            optimizer.reduce = self._mean  # type: ignore[attr-defined]
            self._learning = Learning(optimizer, compute, self.device)
            return _Replica(run, share=share)
        groups = [{**group, "params": list(group["params"])} for group in optimizer.param_groups]
        zero = self.zero
        if zero.offload == "nvme":
            with quiet():
                place = self._disk.enter_context(room(zero.offload_path, optimizer, self.world, disk_reader))
            zero = replace(zero, offload_path=place)
        on_gpu = self.device.type == "cuda"
        settings = zero.settings(self.world, compute.accumulate, compute.gradient_clip, on_gpu=on_gpu)
        if stage:
            by_parameter(optimizer, self._sum)
            with quiet():
                deepspeed, gathered = initialize(run, optimizer, settings)
            self._learning = Partitioned(deepspeed, optimizer, groups, compute, gathered)
        else:
            with quiet(), contiguous([parameter for group in groups for parameter in group["params"]]):
                deepspeed, _ = initialize(run, optimizer, settings)
            backward: Callable[[Tensor], Any] = partial(deepspeed.backward, scale_wrt_gas=False)
            if self.world > 1 and self.zero.overlapping:
                # Statistics of a layer's batch, which the backward pass waits for, do not queue up behind a bucket.
                apart = dist.new_group(timeout=PATIENCE) if synchronized else None
                backward = summing(deepspeed, Buckets(network.parameters(), self.zero.bucket_size, apart))
            boundary = deepspeed.set_gradient_accumulation_boundary
            self._learning = Learning(optimizer, compute, self.device, backward, deepspeed.step, boundary)
        # Where all processes have all, DeepSpeed's forward adds nothing but hooks that refuse gradients of outputs.
        return _Replica(run, deepspeed if stage else None, share)

    def weights(self, network: nn.Module) -> Mapping[str, Tensor | Scattered]:
        """A network's weights and statistics; where each process keeps a part of them, scattered."""
        if isinstance(self._learning, Partitioned):
            return self._learning.weights(network)
        return super().weights(network)

    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place, the same in all processes."""
        if isinstance(self._learning, Partitioned):
            self._learning.load_weights(network, weights)
        else:
            super().load_weights(network, weights)

    def total(self, tensor: Tensor) -> Tensor:
        """Sums a tensor over all processes; on the way back the gradient is multiplied by their number."""
        return _Total.apply(tensor, self.world)  # type: ignore[no-any-return, no-untyped-call]

    def begin_total(self, tensor: Tensor) -> Future[list[Tensor]]:
        """Begins to sum a tensor of the CPU over all processes, in its place."""
        return dist.all_reduce(tensor, async_op=True).get_future()  # type: ignore[no-any-return]

    def told(self, text: str) -> str:
        """What the first process says, in all of them."""
        words = [text]
        dist.broadcast_object_list(words, 0)
        return words[0]

    def everyone(self, thing: Any) -> list[Any]:
        """What each process gives, in all of them."""
        things: list[Any] = [None] * self.world
        dist.all_gather_object(things, thing)
        return things

    def gather(self, batch: Batch, output: Tensor) -> tuple[Sequence[str], Tensor | None]:
        """Brings names and outputs of all processes to rank 0, in the order of the samples."""
        parts = [part for part in self.parts(batch, output) if part[0]]  # shares lie in the order of the processes
        if not parts:  # all samples of the batch were left out, or this is another process
            return (), None
        return [name for names, _ in parts for name in names], torch.cat([part for _, part in parts])

    def parts(self, batch: Batch | None, output: Tensor | None) -> Sequence[tuple[Sequence[str], Tensor]]:
        """Brings names and outputs of each process's own samples to rank 0."""
        output = torch.empty(0) if output is None else output.cpu().contiguous()
        names = list(batch.names) if batch is not None else []
        shares: list[Any] = [None] * self.world
        dist.gather_object((names, output.shape, output.dtype), shares if self.rank == 0 else None)
        if self.rank != 0:
            if names:
                dist.send(output, 0)
            return ()
        parts = []
        for rank, (names, shape, dtype) in enumerate(shares):
            part = output if rank == 0 else torch.empty(shape, dtype=dtype)
            if names and rank != 0:
                dist.recv(part, rank)
            parts.append((names, part))
        return parts

    def close(self) -> None:
        """Lets go of the other processes."""
        self._let_go(well=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        meaning = self._meaning(error)
        stopped = isinstance(error, StoppedError)
        self._let_go(well=error is None or stopped, last=stopped)
        if meaning is not None or isinstance(error, LaunchError):
            time.sleep(_AFTER)  # launchers take the exit code of whoever ends first: whose fault it is
        if meaning is not None:
            raise meaning from error

    def _meaning(self, error: BaseException | None) -> RmldnnError | None:
        """That another process is gone, if this is what a library has failed for; each has its own words for it."""
        meaning = super()._meaning(error)
        if meaning is not None or self.world == 1 or not isinstance(error, RuntimeError):
            return meaning
        reason = self._heartbeat.reason(2.0)
        of_gloo = "gloo" in str(error)  # which has nothing to tell but that it lost somebody, or waited too long
        return LaunchError(farewell(self._ranks, reason)) if reason or of_gloo else None

    def _sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        dist.all_reduce(tensor)
        return tensor

    def _mean(self, tensor: Tensor) -> Tensor:
        """The mean over all processes, in place."""
        return self._sum(tensor).div_(self.world)

    @contextmanager
    def _beginning(self) -> Iterator[None]:
        """Lets go of the other processes if one of them, or this one, fails."""
        try:
            with self._heartbeat.bounded():
                yield
        except Exception as error:
            reason = self._heartbeat.reason(2.0 if isinstance(error, RuntimeError) else 0.0)
            self._let_go(well=False)
            if isinstance(error, RuntimeError):
                reason = reason or f"{UNREACHABLE} ({str(error).splitlines()[0]})"
                raise LaunchError(farewell(self._ranks, reason)) from error
            raise

    def _introduce(self) -> Placement:
        """Takes this process's share of its machine."""
        everyone = self.everyone(Presence.of(self.device))
        place = placement(self.rank, everyone, self._ranks.threads, cores.quota())
        if self.device.type == "cpu":
            place.take()
            torch.set_num_threads(place.threads)
        return place

    def _let_go(self, *, well: bool, last: bool = False) -> None:
        self._learning = None
        self._disk.close()
        if not well:  # first, as whoever waits for this process on a GPU hears it from nobody else
            self._heartbeat.close(well=False)
            self._lines.cut()  # or what is pending would wait for a process that hangs
        if dist.is_initialized() and (well or self.device.type == "cpu"):  # a GPU would wait for the others
            dist.destroy_process_group()
        self._heartbeat.close(well=well, last=last)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, world: int) -> Tensor:
        ctx.world = world
        tensor = tensor.detach().clone()
        dist.all_reduce(tensor)
        return tensor

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():  # the gradient is to have one itself, which the other processes add to
            return _Total.apply(gradient, ctx.world), None  # type: ignore[no-untyped-call]
        return gradient * ctx.world, None


class _Replica(nn.Module):
    """The network of this process, which copes with a share of no sample at all.

    Many layers do not, yet the backward pass must reach every parameter in every process. So one sample of zeros goes
    through the network, and nothing of its output is kept. Of several inputs, each tensor has the samples first.
    """

    def __init__(self, network: nn.Module, learning: nn.Module | None = None, share: Share | None = None) -> None:
        super().__init__()
        self.network = network
        self._share = share or Share()
        self._learning = [learning or network]  # in a list, lest its parameters count twice

    def forward(self, *inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            with (
                torch.inference_mode(False),
                torch.no_grad(),
            ):  # weights that are brought together here are learned from later
                return self._run(self.network, inputs)
        return self._run(self._learning[0], inputs)

    def _run(self, run: nn.Module, inputs: Sequence[Any]) -> Any:
        self._share.empty = any(isinstance(each, Tensor) and not len(each) for each in inputs)
        if not self._share.empty:
            return run(*inputs)
        output = run(*(each.new_zeros(1, *each.shape[1:]) if isinstance(each, Tensor) else each for each in inputs))
        return output[:0] if isinstance(output, Tensor) else tuple(part[:0] for part in output)


def _broadcast(tensor: Tensor) -> None:
    value = tensor.contiguous()
    dist.broadcast(value, 0)
    if value is not tensor:
        tensor.copy_(value)


def _device(ranks: Ranks) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        return torch.device("cpu")
    index = ranks.local_rank % count  # launchers may show each process one GPU of its own
    torch.cuda.set_device(index)
    return torch.device("cuda", index)
