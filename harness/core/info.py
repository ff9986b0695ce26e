"""What a plug-in may know of a base and of a task before anything is loaded."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.core.spec import Formulation, Quantization

TaskKind = Literal["classification", "multiple_choice", "regression", "token_classification", "generation"]
BaseKind = Literal["encoder", "decoder", "encoder_decoder"]


class LinearShape(NamedTuple):
    """A linear layer of a block: its name inside the block, its inputs and outputs."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True)
class BaseInfo:
    """What a method may know of a base before it is loaded (read from its configuration).

    ``linears`` are the linear layers of one block (query, key, value, output, feed-forward, in this order); empty where
    the family's layout is not known.
    """

    kind: BaseKind
    quantization: Quantization
    architecture: str
    n_blocks: int
    """Blocks of the stack that is nearest to the output."""
    hidden_size: int
    has_mask_head: bool
    is_sentence_embedding: bool
    linears: tuple[LinearShape, ...] = ()
    class_name: str = ""
    """The class that the checkpoint was saved from, such as BertForMaskedLM; empty where it does not say."""


@dataclass(frozen=True)
class TaskInfo:
    """What a method may know of a task: never its name."""

    kind: TaskKind
    formulation: Formulation
    n_labels: int
