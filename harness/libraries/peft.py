"""What every method built on peft shares; such a method is its fields and one `config`."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import SpecError, unknown
from harness.formulation import FORMULATIONS
from harness.method import BaseInfo, Context, LinearShape, Method
from harness.storage.checkpoint import check_fits, read_tensors

if TYPE_CHECKING:
    from peft import LoraConfig, PeftConfig, PeftModel, TaskType
    from torch import nn

ADAPTER = "default"
"""The name peft gives to a model's only adapter."""
_PEFT_HEADS = ("classifier", "score")
"""Heads that peft trains by itself; naming a part of one as well would wrap it twice."""
_NO_EMBEDDINGS = {"save_embedding_layers": False}
"""Else peft asks the hub whether the vocabulary has grown."""
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

    @abstractmethod
    def config(self, model: "nn.Module", context: Context) -> "PeftConfig":
        """peft's configuration; the task type and the heads to train are filled in by ``apply``."""

    def apply(self, model: "nn.Module", context: Context) -> "PeftModel":
        """The model wrapped by peft; each head is trained as a copy, so it starts the same for every method."""
        from peft import get_peft_model

        config = self.config(model, context)
        config.task_type = task_type(context)
        config.modules_to_save = [name for name in context.head_names if name.split(".")[0] not in _PEFT_HEADS] or None
        return get_peft_model(model, config)

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
            SpecError: on a quantized base, whose weights would have to be rounded again.
        """
        if getattr(model.get_base_model(), "is_quantized", False):
            raise SpecError("cannot merge into quantized weights without rounding; export the adapter instead")
        return model.merge_and_unload()


def task_type(context: Context) -> "TaskType":
    """peft's name for the class that the formulation loads; it selects the wrapper's forward."""
    from peft import TaskType

    auto_class = FORMULATIONS.find(context.task.formulation).model_classes[context.base.kind]
    return TaskType(_TASK_TYPES.get(auto_class, "FEATURE_EXTRACTION"))


def target_names(model: "nn.Module", chosen: Sequence[str] | None) -> list[str]:
    """Full names of the linear layers in the blocks: all, or those that a chosen name or its ending fits.

    Raises:
        SpecError: for a chosen name that fits none.
    """
    from harness.bases.anatomy import linear_names

    names = linear_names(model)
    if chosen is None:
        return names
    for choice in chosen:
        if not any(_ends_with(name, choice) for name in names):
            raise unknown("target module", choice, {name.rsplit(".", 1)[-1] for name in names})
    return [name for name in names if any(_ends_with(name, choice) for choice in chosen)]


def put_in_place_of(config: "LoraConfig", layers: "Mapping[type[nn.Module], type[nn.Module]]") -> None:
    """Let peft wrap modules of a class in a layer of one's own instead of its LoRA layer for it.

    peft documents it, under a private name: https://huggingface.co/docs/peft/developer_guides/custom_models
    """
    config._register_custom_module(dict(layers))


def are_transposed(model: "nn.Module", names: Sequence[str]) -> bool:
    """Whether these layers keep their weights as (inputs, outputs), as GPT-2's do; peft wants to be told."""
    from torch import nn

    return not any(isinstance(model.get_submodule(name), nn.Linear) for name in names)


def target_shapes(base: BaseInfo, chosen: Sequence[str] | None) -> list[LinearShape]:
    """The linear layers that ``target_names`` gives, of one block and with their sizes; empty where not known."""
    return [
        shape for shape in base.linears if chosen is None or any(_ends_with(shape.name, choice) for choice in chosen)
    ]


def _ends_with(name: str, ending: str) -> bool:
    return f".{name}".endswith(f".{ending}")
