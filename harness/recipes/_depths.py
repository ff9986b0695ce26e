"""How far below the output each parameter is."""

from typing import Any

from harness.recipe import Training


def depths(training: Training) -> dict[int, int]:
    """Blocks above a parameter, by its id: 0 in the last block, all of them for what embeds tokens; else absent."""
    from harness.bases.anatomy import stacks

    found: dict[int, int] = {}
    below = 0
    for _, blocks in reversed(stacks(training.model)):
        for block in reversed(blocks):
            found |= {id(parameter): below for parameter in block.parameters()}
            below += 1
    embeds: Any = training.model.get_input_embeddings()  # type: ignore[operator]
    around = next(module for module in training.model.modules() if embeds in module.children())
    if not any(id(parameter) in found for parameter in around.parameters()):
        embeds = around  # with its positions and its norm
    return found | {id(parameter): below for parameter in embeds.parameters()}


def cut_by_depth(training: Training, group: dict[str, Any]) -> dict[int, list[Any]]:
    """The parameters of an optimizer's group by depth; those of heads and of other places have 0."""
    of, cut = depths(training), dict[int, list[Any]]()
    for parameter in group["params"]:
        cut.setdefault(of.get(id(parameter), 0), []).append(parameter)
    return dict(sorted(cut.items()))
