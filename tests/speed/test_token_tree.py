"""What sequences share is computed once: the same logits as whole, in fewer tokens."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from harness.data.tasks import find_task
from harness.formulations import _likelihood
from harness.method import Scoring
from harness.runs.predict import predict
from harness.speed.token_tree import ReadAt, Start, Tree, count_common, logits_of, takes_trees, tree
from harness.task import Example
from harness.training.batches import by_size
from tests.conftest import MakeSpec
from tests.ready import ready

SMALL = {
    "vocab_size": 96,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
BEGINNING = [5, 6, 7, 8]
GROUPS = [
    [[*BEGINNING, 9, 10, 11, 12, 13], [*BEGINNING, 9, 10, 14], [*BEGINNING, 9, 10, 14, 15]],
    [[*BEGINNING, 15, 16, 17, 18]],
    [[*BEGINNING, 19, 20], [*BEGINNING, 19, 20, 21, 22]],
]
SEQUENCES = [sequence for group in GROUPS for sequence in group]
READS: list[ReadAt] = [(n, len(sequence) - back) for n, sequence in enumerate(SEQUENCES) for back in (1, 2)]


def of_family(family: str, **more: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SMALL | more)).eval()


@torch.no_grad()
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2", "gpt_neox", "opt", "phi", "gemma"])
@pytest.mark.parametrize("shares_start", [False, True], ids=["trees", "trees after a start"])
def test_trees_give_the_logits_of_whole_sequences(family: str, shares_start: bool) -> None:
    model = of_family(family)
    assert takes_trees(model)
    logits = [model(input_ids=torch.tensor([sequence])).logits[0] for sequence in SEQUENCES]
    whole = torch.stack([logits[n][position] for n, position in READS])
    start = Start(model, BEGINNING) if shares_start else None
    for _ in range(2):  # a start serves many batches
        found = logits_of(model, GROUPS, READS, 0, start)
        torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-4)


def test_tree_by_hand() -> None:
    """5 6 7 | 5 6 8 9 | 5 6: the beginning is in it once, 7 and 8 both follow 6."""
    assert tree([[5, 6, 7], [5, 6, 8, 9], [5, 6]]) == Tree(
        ids=[5, 6, 7, 8, 9], depths=[0, 1, 2, 2, 3], paths=[[0, 1, 2], [0, 1, 3, 4], [0, 1]]
    )


def test_common_beginning() -> None:
    assert count_common(SEQUENCES) == len(BEGINNING)
    assert count_common([[5, 6], [5, 6, 7]]) == 2
    assert count_common([[5], [6]]) == 0
    start = Start(of_family("llama"), BEGINNING)
    assert start.begins(SEQUENCES, first_read=4)
    assert not start.begins(SEQUENCES, first_read=3)
    assert not Start(of_family("llama"), [5, 6, 9]).begins(SEQUENCES, first_read=4)


@pytest.mark.parametrize("family", ["mistral", "gemma2"])
def test_a_sliding_window_takes_no_trees(family: str) -> None:
    assert not takes_trees(of_family(family, sliding_window=4, head_dim=8))


@pytest.mark.parametrize("name", ["zero_shot", "lora", "adapters", "prefix", "last_layers"])
def test_every_method_scores_the_same_with_trees(
    name: str, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = (" very awful film", " a great film", " a good cast")
    task = find_task("sst2").model_copy(update={"verbalizers": choices})
    adapted = ready(make_spec(name, "decoder"), task, steps=10)
    formulation = adapted.formulation
    assert isinstance(formulation, _likelihood.BoundLikelihood)
    formulation.scoring = Scoring(n_shots=2)
    formulation.prepare(adapted.model, [Example(str(n), {"sentence": f"film {n}"}, n % 2) for n in range(8)])
    used: list[bool] = []

    def noted(*args: Any) -> torch.Tensor:
        used.append(args[-1] is not None)
        return logits_of(*args)

    monkeypatch.setattr(_likelihood, "logits_of", noted)
    texts = ["the film is superb", "a dull plot", "one great cast with the film and a plot", "awful"]
    rows = formulation.encode([Example(str(n), {"sentence": text}, n % 2) for n, text in enumerate(texts)])
    shared = predict(adapted.model, formulation, rows)
    # A prefix is past keys and values itself; the last layers read the frozen ones from their cache.
    assert set(used) == ({True} if name in ("zero_shot", "lora", "adapters") else set())
    monkeypatch.setattr(_likelihood, "takes_trees", lambda model: False)
    for one, other in zip(predict(adapted.model, formulation, rows), shared, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_a_batch_ends_before_it_is_mostly_padding() -> None:
    assert list(by_size([3, 9, 8, 2, 9], 2)) == [[1, 4], [2, 0], [3]]
    assert list(by_size([3, 9, 8, 2, 9], 9, max_padding=2)) == [[1, 4, 2], [0, 3]]
