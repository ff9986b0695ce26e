"""The frozen part below the first trained block, computed once per sequence: every later epoch starts above it."""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from harness.bases.anatomy import blocks, stacks
from harness.bases.beside import beside
from harness.bases.heads import is_of_head
from harness.bases.load import Base
from harness.storage.checkpoint import trainable


def cache_trunk(model: nn.Module, base: Base) -> int:
    """Let a model that a method returned read the output of its frozen lower blocks from ``base.features``.

    The frozen blocks and the embeddings drop nothing any more, also in training: what they give must not vary. Used for
    whole right-padded sequences; anything else, such as generation step by step, runs through all blocks. So does a
    call that asks for gradients with respect to its input: whatever makes the embeddings require one (an embedding that
    a hook marks, ``inputs_embeds`` that require grad) switches the cache off for that call.

    Of each sequence the last frozen block's output is kept; where a network beside the blocks reads them (see
    ``harness.bases.beside``), that of every frozen block, for the tokens that the last one hands on.

    Returns:
        How many blocks are read from the cache; 0 where the lowest block is trained, something outside the blocks and
        the heads is (a prefix, embeddings), or the base is not of one stack.
    """
    n_blocks = n_frozen_blocks(model, base.head_names)
    if n_blocks:
        _Trunk(model, base, n_blocks)
        _CACHED.add(model)
    return n_blocks


_CACHED: WeakSet[nn.Module] = WeakSet()


def reads_cache(model: nn.Module) -> bool:
    """Whether the model reads frozen blocks from a cache."""
    return model in _CACHED


def n_frozen_blocks(model: nn.Module, head_names: Sequence[str]) -> int:
    """Blocks below the first trained one; 0 where anything that they depend on is trained or drops at random."""
    if len(stacks(model)) > 1:
        return 0
    stack, modules = blocks(model)
    first, apart = len(modules), beside(model)
    for name in trainable(model):
        if name.startswith(apart):
            continue
        if name.startswith(f"{stack}."):
            first = min(first, int(name.removeprefix(f"{stack}.").split(".")[0]))
        elif not is_of_head(name, head_names):
            return 0
    below = _embeddings(model)
    beside_blocks = any(module is modules for module in below.modules())
    drops = any(isinstance(module, nn.Dropout) and module.p for module in below.children())
    return 0 if beside_blocks and drops else first


def _embeddings(model: nn.Module) -> nn.Module:
    """What holds the token embeddings: the module that adds positions and the like, or the one with the blocks too."""
    lookup: Any = model.get_input_embeddings()  # type: ignore[operator]
    return next(parent for parent in model.modules() if any(child is lookup for child in parent.children()))


class _Trunk:
    """Sits in a model: hooks on its call, and stand-ins for the frozen blocks' forward."""

    def __init__(self, model: nn.Module, base: Base, n_blocks: int) -> None:
        self.features, self.n_blocks = base.features, n_blocks
        self.keeps_all = bool(beside(model))
        stack = blocks(model)[1]
        self.frozen: list[nn.Module] = list(stack[:n_blocks])
        below = _embeddings(model)
        if not any(module is stack for module in below.modules()):
            self.frozen.append(below)
        self.keys: list[tuple[object, ...]] | None = None
        self.lengths: list[int] = []
        self.known: Tensor | None = None
        self.given: list[Tensor] = []
        model.register_forward_pre_hook(self._before, with_kwargs=True)
        for index, block in enumerate(stack[:n_blocks]):
            block.forward = self._stand_in(block.forward, index)

    def _before(self, model: nn.Module, _args: Any, inputs: dict[str, Any]) -> None:
        """Look the batch up."""
        for module in self.frozen:
            module.eval()
        self.keys, self.known, self.given = None, None, []
        config: Any = model.config
        looks_inside = any(
            inputs.get(name, getattr(config, name, False)) for name in ("output_hidden_states", "output_attentions")
        )
        if inputs.get("past_key_values") is not None or inputs.get("use_cache") or inputs.get("input_ids") is None:
            return
        if looks_inside:
            return
        ids, mask = inputs["input_ids"].cpu(), inputs["attention_mask"].cpu()
        self.lengths = mask.sum(1).tolist()
        if not all(row[:length].all() for row, length in zip(mask, self.lengths, strict=True)):
            return
        segments = inputs.get("token_type_ids")
        kinds = [()] * len(ids) if segments is None else segments.cpu().tolist()
        device = next(model.parameters()).device
        setting = (self.n_blocks, self.keeps_all, torch.is_autocast_enabled(device.type))
        self.keys = [
            (*setting, *row[:length], None, *kind[:length])
            for row, kind, length in zip(ids.tolist(), kinds, self.lengths, strict=True)
        ]
        found = [self.features.states.get(key) for key in self.keys]
        states = [state for state in found if state is not None]
        if len(states) == len(found):
            self.known = pad_sequence(states, batch_first=True).to(device)

    def _stand_in(self, forward: Callable[..., Any], index: int) -> Callable[..., Any]:
        """The block's forward, left out where the batch is known; after the last one, what is new is kept.

        Kept are blocks that return hidden states, and beside them nothing but None: a bias of positions that later
        blocks want of an earlier one would be lost.
        """
        is_last = index == self.n_blocks - 1

        def stand_in(*args: Any, **kwargs: Any) -> Any:
            hidden_states: Tensor = args[0] if args else next(iter(kwargs.values()))
            if torch.is_grad_enabled() and hidden_states.requires_grad:
                self.keys, self.known = None, None
                return forward(*args, **kwargs)
            if self.known is not None:
                known = self._read(self.known, index, hidden_states)
                self.known = None if is_last else self.known
                return self.features.as_returned(known)
            with torch.no_grad():
                returned = forward(*args, **kwargs)
            if self.keys is not None and not self.features.learn(returned):
                self.keys = None
            if self.keys is not None and (is_last or self.keeps_all):
                self.given.append(returned[0] if isinstance(returned, tuple) else returned)
            if is_last and self.keys is not None:
                self._keep(self.keys)
            return returned

        return stand_in

    def _read(self, known: Tensor, index: int, given: Tensor) -> Tensor:
        """What a block gave, shape (B, T, D); whatever it is given now where only the last one's is kept."""
        if self.keeps_all:
            return known[:, :, index]
        return known if index == self.n_blocks - 1 else given

    def _keep(self, keys: list[tuple[object, ...]]) -> None:
        """Of each sequence (T, D), or (T, blocks, D) where those of all blocks are kept."""
        n_tokens = self.given[-1].shape[1]
        cut = [given[:, :n_tokens] for given in self.given]
        states = torch.stack(cut, dim=2) if self.keeps_all else cut[0]
        for key, state, length in zip(keys, states, self.lengths, strict=True):
            if key not in self.features.states:
                self.features.keep(key, state[:length])
        self.keys, self.given = None, []
