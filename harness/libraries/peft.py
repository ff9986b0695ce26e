"""What every method built on peft shares; such a method is its fields and one `config`."""

import json
import re
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import Field

from harness.bases.anatomy import has_ending, role_of
from harness.core.errors import SpecError, Unsupported, unknown
from harness.core.info import Role
from harness.core.spec import Quantization
from harness.formulation import FORMULATIONS
from harness.method import BaseInfo, Context, LinearShape, Method, TaskInfo
from harness.storage.checkpoint import check_fits, read_tensors

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftConfig, PeftModel, TaskType
    from torch import Tensor, nn


class Sizes(NamedTuple):
    """Of a linear layer."""

    inputs: int
    outputs: int


ADAPTER = "default"
"""The name peft gives to a model's only adapter."""
_HEAD = ".modules_to_save."
"""In the names of what peft trains as a copy: the heads."""
_PEFT_HEADS = ("classifier", "score")
"""Heads that peft trains by itself; naming a part of one as well would wrap it twice."""
_NO_EMBEDDINGS = {"save_embedding_layers": False}
"""Else peft asks the hub whether the vocabulary has grown."""
_ROLE = "role:"
_ROLES = {f"{_ROLE}{role}" for role in get_args(Role)}
_TASK_TYPES = {
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
}
"""peft's task type of transformers' auto classes; of all others it is FEATURE_EXTRACTION."""


class PeftMethod(Method):
    """A method whose modules come from peft and are stored in peft's own adapter format."""

    harmless: ClassVar[str | None] = None
    """How a warning of peft begins, as a regular expression, that says nothing about a run."""

    @abstractmethod
    def config(self, model: "nn.Module", context: Context) -> "PeftConfig":
        """peft's configuration; the task type and the heads to train are filled in by ``apply``."""

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model wrapped by peft; each head is trained as a copy, so it starts the same for every method.

        Raises:
            Unsupported: peft refuses the base, or these settings on it.
        """
        from peft import get_peft_model

        config = self.config(model, context)
        config.task_type = task_type(context)
        heads = [name for name in context.head_names if name.split(".")[0] not in _PEFT_HEADS]
        config.modules_to_save = [*heads, *(getattr(config, "modules_to_save", None) or ())] or None
        device = next(model.parameters()).device
        with warnings.catch_warnings():
            if self.harmless:
                warnings.filterwarnings("ignore", self.harmless)
            try:
                return _moved(get_peft_model(model, config), device)
            except (TypeError, ValueError) as error:
                raise Unsupported(f"peft refuses: {error}") from error

    def save(self, model: "PeftModel", folder: Path) -> None:
        """Write adapter_config.json and adapter_model.safetensors, which PeftModel.from_pretrained reads."""
        model.save_pretrained(folder, state_dict=model.state_dict(), **_NO_EMBEDDINGS)
        config = folder / "adapter_config.json"
        # peft keeps names of layers as a set, whose order is another one in every process.
        given = json.loads(config.read_text(encoding="utf-8"))
        if isinstance(given.get("target_modules"), list):
            given["target_modules"].sort()
        config.write_text(json.dumps(given, indent=2, sort_keys=True), encoding="utf-8")

    def load(self, model: "PeftModel", folder: Path) -> None:
        """Read what ``save`` wrote into a model that ``apply`` returned, in place.

        Raises:
            SourceError: if the file is missing or damaged, or was written for another base or other hyperparameters.
        """
        from peft import get_peft_model_state_dict, set_peft_model_state_dict
        from peft.utils import SAFETENSORS_WEIGHTS_NAME

        path = folder / SAFETENSORS_WEIGHTS_NAME
        tensors = read_tensors(path)
        check_fits(path, get_peft_model_state_dict(model, model.state_dict(), **_NO_EMBEDDINGS), tensors)
        set_peft_model_state_dict(model, tensors)

    def merge(self, model: "PeftModel") -> "nn.Module":
        """The base with the update added to its weights.

        Raises:
            SpecError: on a quantized base, whose weights would have to be rounded again, or if peft has no way.
        """
        if getattr(model.get_base_model(), "is_quantized", False):
            raise SpecError("cannot merge into quantized weights without rounding; export the adapter instead")
        try:
            return _without_copies(model.merge_and_unload())
        except (NotImplementedError, ValueError) as error:
            raise SpecError(f"peft can't merge {self.name}: {error}; export the adapter instead") from error


def _moved(model: "PeftModel", device: "torch.device") -> "PeftModel":
    """The model with all of it where the base is: some types leave what layers share on the processor."""
    for parameter in model.parameters():
        if parameter.device != device:
            parameter.data = parameter.data.to(device)
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.device != device:
                setattr(module, name, buffer.to(device))
    return model


def _without_copies(model: "nn.Module") -> "nn.Module":
    """The model with trained heads in the place of the wrappers that some types leave around them."""
    from peft.utils import ModulesToSaveWrapper

    wrapped = {name: m for name, m in model.named_modules() if isinstance(m, ModulesToSaveWrapper)}
    for name, wrapper in wrapped.items():
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, wrapper.modules_to_save[ADAPTER])
    return model


class PeftLayers(PeftMethod):
    """A method whose modules from peft take the place of linear layers in the blocks."""

    config_class: ClassVar[str]
    """The name of peft's configuration."""
    seed_field: ClassVar[str | None] = None
    """The configuration's field for a seed of its own."""
    unreadable: ClassVar[tuple[Quantization, ...]] = ()
    """Precisions whose layers it fails on, or whose packed weights it would take for plain ones."""
    unbiased: ClassVar[bool] = False
    """Whether it fails on quantized layers that have biases."""

    target_modules: tuple[str, ...] | None = Field(
        None,
        description="The layers adapted, by names or their endings, roles (role:query) or regular expressions (/…/); "
        "default: every linear layer of the blocks.",
    )

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Few types can unpack quantized weights, or change what a quantized layer returns."""
        name = f"peft's {type(self).__name__}"
        if base.quantization in self.unreadable:
            return f"{name} can't train on {base.quantization} layers"
        if self.unbiased and base.quantization != "none" and any(shape.has_bias for shape in base.linears):
            return f"{name} can't train on {base.quantization} layers with biases"
        return None

    def options(self, sizes: Sequence[Sizes]) -> dict[str, Any]:
        """The configuration's fields that those of the method stand for.

        Args:
            sizes: Inputs and outputs of each layer that is adapted.
        """
        raise NotImplementedError

    def block_params(self, sizes: Sequence[Sizes]) -> int | None:
        """Trained parameters in one block of the base by formula, from the sizes of its layers that are adapted.

        None where the weights, or a draw, decide.
        """
        return None

    def shared_params(self, sizes: Sequence[Sizes]) -> int:
        """Trained parameters that all blocks share, likewise."""
        return 0

    def config(self, model: "nn.Module", context: Context) -> "PeftConfig":
        """peft's configuration.

        Raises:
            Unsupported: the type can't change layers that keep their weights transposed, as GPT-2's do.
        """
        import peft

        targets = target_names(model, self.target_modules)
        options = self.options([_sizes(model.get_submodule(name)) for name in targets])
        made = getattr(peft, self.config_class)
        if "fan_in_fan_out" in {field.name for field in fields(made)}:
            options["fan_in_fan_out"] = are_transposed(model, targets)
        elif are_transposed(model, targets):
            raise Unsupported(f"peft's {type(self).__name__} knows no layers that keep their weights transposed")
        if self.seed_field:
            options[self.seed_field] = context.seed
        return made(target_modules=targets, **options)

    def expected_params(self, base: BaseInfo) -> int | None:
        """Those of every block, and what the blocks share."""
        sizes = [Sizes(shape.inputs, shape.outputs) for shape in target_shapes(base, self.target_modules)]
        in_block = self.block_params(sizes) if sizes else None
        return None if in_block is None else base.n_blocks * in_block + self.shared_params(sizes)


class HeadRate(PeftMethod):
    """A method whose rate is far too high for the task's head, which gets its own."""

    head_learning_rate: float

    def groups(self, model: "nn.Module", rate: float) -> list[dict[str, Any]]:
        """The method's own parameters at the run's rate, the head's at their own."""
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        head = [parameter for name, parameter in named.items() if _HEAD in name]
        own = [parameter for name, parameter in named.items() if _HEAD not in name]
        return [{"params": own}, {"params": head, "lr": self.head_learning_rate}] if head else [{"params": own}]


def leave_sparse_tensors_unchecked() -> None:
    """Say that torch need not check the sparse tensors that peft makes; else it warns that it does not."""
    from torch.sparse import check_sparse_tensor_invariants

    check_sparse_tensor_invariants.disable()


def common_block(sides: Sequence[int], at_most: int) -> int:
    """The largest size of a block, at most so large, that divides all these sides of layers."""
    return max(block for block in range(1, at_most + 1) if gcd(*sides) % block == 0)


def task_type(context: Context) -> "TaskType":
    """peft's name for the class that the formulation loads; it selects the wrapper's forward."""
    from peft import TaskType

    auto_class = FORMULATIONS.find(context.task.formulation).model_classes[context.base.kind]
    return TaskType(_TASK_TYPES.get(auto_class, "FEATURE_EXTRACTION"))


def target_names(model: "nn.Module", chosen: Sequence[str] | None) -> list[str]:
    """Full names of the linear layers in the blocks: all, or those that one of the choices fits.

    Raises:
        SpecError: for a choice that fits none.
        Unsupported: for a role that no layer is known to have.
    """
    from harness.bases.anatomy import linear_names

    names = linear_names(model)
    if chosen is None:
        return names
    for choice in chosen:
        if any(_fits(name, choice) for name in names):
            continue
        if choice in _ROLES:
            raise Unsupported(f"no layer of {type(model).__name__} is known as {choice.removeprefix(_ROLE)} alone")
        raise unknown("target module", choice, {name.rsplit(".", 1)[-1] for name in names})
    return [name for name in names if any(_fits(name, choice) for choice in chosen)]


def _fits(name: str, choice: str) -> bool:
    """Whether a layer is meant by a choice: a role, a regular expression between slashes, a name or its ending."""
    if choice.startswith(_ROLE):
        return role_of(name) == choice.removeprefix(_ROLE)
    if len(choice) > 2 and choice.startswith("/") and choice.endswith("/"):
        return re.search(choice[1:-1], name) is not None
    return has_ending(name, choice)


def put_in_place_of(config: "LoraConfig", layers: "Mapping[type[nn.Module], type[nn.Module]]") -> None:
    """Let peft wrap modules of a class in a layer of one's own instead of its LoRA layer for it.

    peft documents it, under a private name: https://huggingface.co/docs/peft/developer_guides/custom_models
    """
    config._register_custom_module(dict(layers))


def _sizes(layer: Any) -> Sizes:
    """Inputs and outputs of a linear layer, of GPT-2's Conv1D too."""
    return Sizes(layer.in_features, layer.out_features) if hasattr(layer, "in_features") else Sizes(*layer.weight.shape)


def are_transposed(model: "nn.Module", names: Sequence[str]) -> bool:
    """Whether these layers keep their weights as (inputs, outputs), as GPT-2's do; peft wants to be told."""
    from torch import nn

    return not any(isinstance(model.get_submodule(name), nn.Linear) for name in names)


def target_shapes(base: BaseInfo, chosen: Sequence[str] | None) -> list[LinearShape]:
    """The linear layers that ``target_names`` gives, of one block and with their sizes; empty where not known.

    What a regular expression chooses may differ from block to block, so with one of them nothing is known.
    """
    if any(choice.startswith("/") for choice in chosen or ()):
        return []
    return [shape for shape in base.linears if chosen is None or any(_fits(shape.name, choice) for choice in chosen)]


DENSITY = {"ties": 0.2, "dare": 0.1}
"""Share of an update's entries that is kept: TIES trims to the largest 20 %, DARE drops 90 % at random and rescales."""


def merge_updates(updates: "Sequence[Tensor]", mix: Literal["ties", "dare"]) -> "Tensor":
    """One update from several of the same tensor: TIES' disjoint mean, or the mean of what DARE leaves."""
    import torch
    from peft.utils import merge_utils

    if mix == "ties":
        return merge_utils.ties(list(updates), torch.ones(len(updates)), DENSITY[mix])
    return merge_utils.dare_linear(list(updates), torch.full((len(updates),), 1 / len(updates)), DENSITY[mix])
