"""A merged model made to answer in the task's own terms wherever it is loaded: names of labels, a number's range."""

from typing import Any

import torch
from torch import nn

from harness.core.errors import SpecError
from harness.runs.adapted import Adapted


def speak_the_task(merged: Any, adapted: Adapted) -> None:
    """Write the labels into the configuration, and a regression's range into the head's last layer.

    In training a target is scaled to 0..1; afterwards the model gives the number itself. Models without a head, and
    heads that score choices or steps between labels, are left as they are.

    Raises:
        SpecError: the last layer of a regression has no bias, which could hold the range's lower end.
    """
    task, config = adapted.formulation.task, merged.config
    if not adapted.base.head_names or task.kind == "multiple_choice" or config.num_labels != task.n_outputs:
        return
    names = task.labels or (task.target,)
    config.id2label = dict(enumerate(names))
    config.label2id = {name: index for index, name in enumerate(names)}
    if task.kind == "classification":
        config.problem_type = "single_label_classification"
    if task.kind == "regression":
        config.problem_type = "regression"
        low, high = task.value_range
        _stretch(_last_layer(merged, adapted.base.head_names), low, high - low)


def _last_layer(model: nn.Module, head_names: tuple[str, ...]) -> nn.Linear:
    layers = [model.get_submodule(name) for name in head_names]
    found = [layer for layer in layers if isinstance(layer, nn.Linear) and layer.out_features == 1]
    if len(found) != 1 or found[0].bias is None:
        raise SpecError(
            f"the head of {type(model).__name__} has no bias that could hold the range of the numbers; "
            "export the adapter without --merge"
        )
    return found[0]


@torch.no_grad()
def _stretch(layer: nn.Linear, low: float, width: float) -> None:
    layer.weight.mul_(width)
    layer.bias.mul_(width).add_(low)
