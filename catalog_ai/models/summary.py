"""Layers, shapes, parameters and mult-adds, as the article's "Model Statistics" lists them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catalog_ai.device import device_of


@dataclass(frozen=True)
class LayerStatistics:
    """One leaf layer on one input; `mult_adds` counts multiply-adds for the whole batch."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    mult_adds: int


@dataclass(frozen=True)
class ModelStatistics:
    """All leaf layers of a model in the order in which they run."""

    input_shape: tuple[int, ...]
    layers: tuple[LayerStatistics, ...]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what the last layer returns."""
        return self.layers[-1].output_shape

    @property
    def parameters(self) -> int:
        """Trainable parameters, each counted once."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def mult_adds(self) -> int:
        """Multiply-adds of convolutions and linear layers, for the whole batch."""
        return sum(layer.mult_adds for layer in self.layers)

    def __str__(self) -> str:
        rows = [
            f"{layer.name:<32}{layer.kind:<20}{_shape(layer.output_shape):<22}"
            f"{layer.parameters:>10,}{layer.mult_adds / 1e6:>14,.2f}"
            for layer in self.layers
        ]
        head = f"{'layer':<32}{'kind':<20}{'output':<22}{'parameters':>10}{'mult-adds (M)':>14}"
        total = (
            f"Total parameters: {self.parameters:,}\n"
            f"Input: {_shape(self.input_shape)}\nOutput: {_shape(self.output_shape)}\n"
            f"Mult-adds: {self.mult_adds / 1e9:.2f} G"
        )
        return "\n".join([head, *rows, total])


def summarize(model: nn.Module, input_shape: tuple[int, ...] = (32, 3, 64, 64)) -> ModelStatistics:
    """Return the statistics of `model` on an input of `input_shape`; the model is not changed."""
    layers: list[LayerStatistics] = []
    hooks = [
        layer.register_forward_hook(_record(name, layers))
        for name, layer in model.named_modules()
        if not list(layer.children())
    ]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(input_shape, device=device_of(model)))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return ModelStatistics(input_shape, tuple(layers))


def _record(name: str, layers: list[LayerStatistics]):  # type: ignore[no-untyped-def]
    def hook(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        statistics = LayerStatistics(
            *(name, type(layer).__name__, tuple(output.shape), parameters),
            _mult_adds(layer, output),
        )
        layers.append(statistics)

    return hook


def _mult_adds(layer: nn.Module, output: Tensor) -> int:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        per_output = layer.weight[0].numel()
        return output.numel() * per_output
    return 0


def _shape(shape: tuple[int, ...]) -> str:
    return str(list(shape))
