"""Where torch computes: on a GPU if there is one; the CPU's results are the reference."""

from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def best_device() -> torch.device:
    """Return the GPU where torch has one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """Brain floating point on a GPU, whose range needs no loss scaling; nothing on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def placed(model: Module) -> Module:
    """Return `model` on the best device, its convolutions laid out as the batches are.

    Channels last is about twice as fast, on a CPU as on a GPU.
    """
    model.to(best_device())
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def device_of(model: nn.Module) -> torch.device:
    """Return where the weights of `model` lie; the CPU for one without any."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
