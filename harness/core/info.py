"""What a plug-in may know of a base and of a task before anything is loaded."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.core.spec import Quantization

Need = Literal["input_gradients", "hidden_states", "example_gradients"]
"""What a speed trick may break: gradients with respect to the embedded input, every hidden state of every block, or
gradients of single examples through every layer."""
TaskKind = Literal["classification", "multiple_choice", "regression", "token_classification", "generation"]
BaseKind = Literal["encoder", "decoder", "encoder_decoder"]


Role = Literal["query", "key", "value", "output", "gate", "up", "down"]
"""What a linear layer does: attention's projections and its output, the feed-forward's gate, expansion, contraction."""


class LinearShape(NamedTuple):
    """A linear layer of a block: its name inside the block, its inputs and outputs, what it does."""

    name: str
    inputs: int
    outputs: int
    role: Role
    has_bias: bool


@dataclass(frozen=True)
class BaseInfo:
    """What a method may know of a base before it is loaded (read from its configuration).

    ``linears`` are the linear layers of one block; empty where the family's layout is not known.
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
    has_biases: bool = True
    """Whether the blocks have bias vectors, of linear layers or of norms."""


@dataclass(frozen=True)
class TaskInfo:
    """What a plug-in may know of what is asked in a run: never the task's name."""

    kind: TaskKind
    formulation: str
    n_labels: int
    has_head: bool = False
    """Whether a new head answers."""
    asks_likeness: bool = False
    """Whether the answer says how alike two texts are."""
    is_trained: bool = True
    """Whether the method trains anything."""
