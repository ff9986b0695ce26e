"""Writes adapterhub_outputs.safetensors: what AdapterHub's library computes, for test_adapters.py.

Run where `adapters` is installed (it pins an older transformers than this project uses):

    pip install torch adapters && python tests/methods/make_adapterhub_outputs.py

Keys are `<model>/<placement>/...`: `weights/<name>` with this project's names of the adapters' weights, `output`; and
`<model>/base/<name>`, `input_ids`.
"""

from pathlib import Path

import adapters
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel, PreTrainedModel

CONFIGS = {"pfeiffer": "seq_bn", "houlsby": "double_seq_bn", "parallel": "par_bn"}
SIZES = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
}
NAMES = {  # AdapterHub's place of an adapter inside a block: this project's
    "attention.output.adapters.x.": "attention_adapter.",
    "attention_adapters.adapters.x.": "attention_adapter.",
    "output.adapters.x.": "feed_forward_adapter.",
    "output_adapters.adapters.x.": "feed_forward_adapter.",
    "adapter_down.0.": "0.",
    "adapter_up.": "2.",
}


def model(kind: str) -> PreTrainedModel:
    """A random model; weights large enough that every term of the formulas shows."""
    torch.manual_seed(0)
    built = BertModel(BertConfig(**SIZES)) if kind == "bert" else LlamaModel(LlamaConfig(**SIZES))
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built.eval()


def renamed(name: str) -> str:
    """This project's name of an adapter's weight."""
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    return name


def outputs(kind: str, placement: str, input_ids: Tensor) -> dict[str, Tensor]:
    """Adapter weights and last hidden states."""
    adapted = model(kind)
    adapters.init(adapted)
    adapted.add_adapter("x", config=adapters.AdapterConfig.load(CONFIGS[placement], reduction_factor=4))
    adapted.set_active_adapters("x")
    weights = {name: value for name, value in adapted.named_parameters() if ".adapters.x." in name}
    for value in weights.values():
        torch.nn.init.normal_(value, std=0.5)
    with torch.no_grad():
        output = adapted.eval()(input_ids).last_hidden_state
    return {"output": output} | {f"weights/{renamed(name)}": value.detach() for name, value in weights.items()}


tensors = {"input_ids": torch.randint(0, 30, (3, 7), generator=torch.Generator().manual_seed(1))}
for kind in ("bert", "llama"):
    tensors |= {f"{kind}/base/{name}": value for name, value in model(kind).state_dict().items()}
    for placement in CONFIGS:
        result = outputs(kind, placement, tensors["input_ids"])
        tensors |= {f"{kind}/{placement}/{name}": value for name, value in result.items()}
versions = {"adapters": adapters.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
save_file(tensors, Path(__file__).with_name("adapterhub_outputs.safetensors"), metadata=versions)
