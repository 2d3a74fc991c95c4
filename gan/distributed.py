"""Training by several processes, as one. torchrun starts them, each reads its rows of every batch, and their mean gradient is the
whole batch's. With one process nothing here does anything.

    torchrun --nproc-per-node 2 -m gan train RECIPE

Not torch's DistributedDataParallel: a step calls a discriminator several times in a half, freezes it in the other, and takes
gradients of gradients; one sum of all gradients before each optimiser step knows nothing of that.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# The others wait while the first one renders a corpus, trains a face net or validates. One that died is noticed at once.
PATIENCE = timedelta(days=1)


class Lost(Exception):
    """Another process is gone without a word."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__(
            "A process of this training was killed, perhaps for want of memory. "
            "The same command goes on from the last checkpoint."
        )


def rank() -> int:
    """This process's number; 0, the first, is the one that writes and speaks."""
    return dist.get_rank() if _several() else 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _several() else 1


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextmanager
def joined() -> Iterator[None]:
    """Within, the processes torchrun started are one training. Only the first prints; of an error, whoever meets it first.

    The others leave by SystemExit: what they would say is the same mistake again, or that the one who died is gone.
    """
    if _several() or not dist.is_available() or not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield
        return
    # Before there is a group, or its functions' defaults keep that alive, and gloo's threads abort a process that ends with them.
    import torch.distributed.nn

    store, number, count = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=PATIENCE)
    try:
        with _silent() if number else nullcontext():
            yield
    except Exception as error:
        if not _first_to_fail(store):
            raise SystemExit(getattr(error, "exit_code", 2 if isinstance(error, ValueError | OSError) else 1)) from None
        if isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error)):
            raise Lost from None
        raise
    finally:
        dist.destroy_process_group()


@contextmanager
def _silent() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_to_fail(store: dist.Store) -> bool:
    with suppress(RuntimeError):  # whoever kept the store is gone: not first
        return store.add("failures", 1) == 1
    return False


@contextmanager
def first() -> Iterator[None]:
    """The first process goes through the block before the others, which find what it made in the caches."""
    if rank() > 0:
        wait()
    yield
    if rank() == 0:
        wait()


def own_device(device: torch.device) -> torch.device:
    """Of several processes on GPUs each takes one of its machine's. Raises ValueError if there are too few."""
    if size() == 1 or device.type != "cuda":
        return device
    count, there = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if device.index is not None:
        raise ValueError(f"train.device: {device} came with {size()} processes. Each needs a GPU of its own: use cuda or auto.")
    if count > there:
        raise ValueError(
            f"train.device: {count} processes on a machine of {there} GPUs came, each needs one. "
            f"Use --nproc-per-node {there}, or train.device=cpu."
        )
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


# -- agreeing -----------------------------------------------------------------------------------------------------------


def wait() -> None:
    """Until all are here."""
    highest(0)


def highest(number: int) -> int:
    """The highest of the processes' numbers. Asked through the host, so that no GPU is waited for."""
    if size() == 1:
        return number
    maximum = torch.tensor(number, dtype=torch.int64)
    dist.all_reduce(maximum, dist.ReduceOp.MAX)
    return int(maximum)


def lowest(number: int) -> int:
    return -highest(-number)


def agree(number: int) -> bool:
    """Whether it is the same number in all."""
    return highest(number) == lowest(number)


def means(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each scalar's mean over the processes: of a mean over rows, that over the whole batch."""
    if size() == 1 or not values:
        return dict(values)
    summed = _Sum.apply(torch.stack([value.detach().float().reshape(()) for value in values.values()]))
    return dict(zip(values, summed / size(), strict=True))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Each gradient becomes its mean over the processes, bit for bit the same in all."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, mean in zip(gradients, (flat / size()).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def take_from_first(*modules: nn.Module | None) -> None:
    """The first process's weights and statistics, into all."""
    for module in modules:
        for tensor in module.state_dict().values() if module is not None and size() > 1 else ():
            dist.broadcast(tensor, 0)


# -- what looks at a batch as a whole -----------------------------------------------------------------------------------


class _Sum(torch.autograd.Function):
    """Sum over the processes. Its gradient, and that one's, are such sums: what each process's loss says of this one's rows."""

    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def batch_mean(rows: Tensor) -> Tensor:
    """(B, ...) -> (...): the mean over the rows of all processes."""
    mean = rows.mean(0)
    return mean if size() == 1 else _Sum.apply(mean) / size()


class _Together(_BatchNorm):
    """Batch norm on the statistics of all processes' rows, however many each has; with derivatives of any order, which
    torch.nn.SyncBatchNorm has not (nor a way without a GPU).
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or size() == 1:
            return super().forward(input)
        over, shape = [0, *range(2, input.ndim)], [-1, *[1] * (input.ndim - 2)]
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        count = values.new_full((1,), values.numel() / values.shape[1])
        sums = _Sum.apply(torch.cat([values.sum(over), count]))
        count, mean = sums[-1], sums[:-1] / sums[-1]
        centred = values - mean.view(shape)
        squares = _Sum.apply(centred.square().sum(over))
        self._remember(mean.detach(), squares.detach() / (count - 1))
        normalised = centred * (squares / count + self.eps).rsqrt().view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _Together1d(_Together, nn.BatchNorm1d):
    pass


class _Together2d(_Together, nn.BatchNorm2d):
    pass


_TOGETHER = {nn.BatchNorm1d: _Together1d, nn.BatchNorm2d: _Together2d}


def share_batch_norm(*modules: nn.Module) -> None:
    """Batch norm in training mode looks at the rows of all processes from now on.

    Raises ValueError for a kind that cannot.
    """
    for layer in (layer for module in modules if size() > 1 for layer in module.modules()):
        if isinstance(layer, _BatchNorm | nn.modules.lazy.LazyModuleMixin):
            if type(layer) not in _TOGETHER or not layer.track_running_stats:
                raise ValueError(
                    f"{type(layer).__name__} cannot be shared by several processes. Use nn.BatchNorm1d or 2d with "
                    "running statistics, or one process."
                )
            layer.__class__ = _TOGETHER[type(layer)]  # it keeps its weights, buffers and place


def seed_noise(seed: int) -> None:
    """Random numbers follow from the seed from here on, and differ from process to process."""
    # Mixed well, since the host's generator reads the lowest 32 bits alone.
    torch.manual_seed(seed if size() == 1 else int(np.random.SeedSequence([seed, rank()]).generate_state(1)[0]))
