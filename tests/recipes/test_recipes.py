"""Each recipe against its definition, worked out another way."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel
from transformers.modeling_outputs import TokenClassifierOutput

from harness.core.errors import Unsupported
from harness.formulation import IGNORED, Batch, Row
from harness.recipe import RECIPES, Training
from harness.task import Example
from harness.testing import tiny
from tests.conftest import MakeSpec
from tests.ready import ready

make = RECIPES.make


def test_sam_takes_the_gradient_at_the_edge_of_the_neighbourhood() -> None:
    """Of ½ wᵀ H w the gradient at w + rho g / |g| is H (w + rho H w / |H w|); the weights stay where they are."""
    hessian, start = torch.tensor([[2.0, 0.5], [0.5, 1.0]]), torch.tensor([1.0, -3.0])
    model = nn.Module()
    model.weight = nn.Parameter(start.clone())

    def inner() -> float:
        loss = model.weight @ hessian @ model.weight / 2
        loss.backward()
        return loss.item()

    loss = make("sam", {"rho": 0.1}).backward(Training(model, n_steps=1, seed=0), inner)
    gradient = hessian @ start
    assert loss == pytest.approx((start @ hessian @ start / 2).item())
    torch.testing.assert_close(model.weight.grad, hessian @ (start + 0.1 * gradient / gradient.norm()))
    torch.testing.assert_close(model.weight.detach(), start, rtol=0, atol=0)


def test_ema_is_the_mean_of_all_weights_and_then_a_running_average() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(2))
    training, recipe = Training(model, n_steps=4, seed=0), make("ema", {"decay": 0.5})
    recipe.begin(training)
    seen = [torch.tensor([1.0, 0.0]), torch.tensor([3.0, 0.0]), torch.tensor([8.0, 0.0])]
    for training.step, value in enumerate(seen, start=1):
        model.weight.data.copy_(value)
        recipe.after_step(training)
    with recipe.weights(training):
        judged = model.weight.tolist()
    assert judged == [0.5 * (1 + 3) / 2 + 0.5 * 8, 0.0]
    assert model.weight.tolist() == [8.0, 0.0]


@pytest.mark.parametrize(("start", "every"), [(0.5, 1), (0.0, 3), (0.25, 2)])
def test_swa_is_torchs_average_of_the_steps_that_count(start: float, every: int) -> None:
    """``torch.optim.swa_utils``, updated by hand; before the first of them the weights themselves are judged."""
    model = nn.Linear(3, 2)
    average = AveragedModel(model)
    training, recipe = Training(model, n_steps=8, seed=0), make("swa", {"start": start, "every": every})
    recipe.begin(training)
    torch.manual_seed(0)
    for training.step in range(1, 9):
        model.weight.data.normal_()
        recipe.after_step(training)
        if training.step > 8 * start and (training.step - 1 - int(8 * start)) % every == 0:
            average.update_parameters(model)
        counted = int(average.n_averaged)
        before = model.weight.detach().clone()
        with recipe.weights(training):
            torch.testing.assert_close(model.weight.detach(), average.module.weight.detach() if counted else before)
        torch.testing.assert_close(model.weight.detach(), before, rtol=0, atol=0)
    assert counted == len(range(int(8 * start) + 1, 9, every))


def test_ema_keeps_pruned_weights_at_zero() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(2))
    training, recipe = Training(model, n_steps=1, seed=0), make("ema")
    recipe.begin(training)
    for training.step, value in enumerate((torch.ones(2), torch.tensor([1.0, 0.0])), start=1):
        model.weight.data.copy_(value)
        recipe.after_step(training)
    with recipe.weights(training):
        assert model.weight.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("kind", ["encoder", "decoder", "encoder_decoder"])
def test_label_smoothing_is_torchs(kind: str, make_spec: MakeSpec) -> None:
    """Cross-entropy with ``label_smoothing``: over labels, or over the tokens of the answer (their mean)."""
    adapted = ready(make_spec("full", kind))
    formulation, model = adapted.formulation, adapted.model.eval()
    rows = formulation.encode_training([Example(str(n), {"sentence": "good film"}, n % 2) for n in range(3)])
    batch = formulation.collate(rows, torch.device("cpu"))
    training = Training(model, n_steps=1, seed=0)
    with training.outputs() as outputs:
        losses = make("label_smoothing", {"epsilon": 0.2}).losses(
            training, batch, lambda given: formulation.losses(model, given)
        )
    logits = outputs[0].logits.float()
    answers = [[row.example.target] if not row.spans else list(row.spans[0].token_ids) for row in rows]
    expected = torch.stack(
        [
            cross_entropy(part, torch.tensor(answer), label_smoothing=0.2)
            for part, answer in zip(logits.split([len(answer) for answer in answers]), answers, strict=True)
        ]
    )
    torch.testing.assert_close(losses, expected)


class Answers(nn.Module):
    """Answers with given logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self) -> TokenClassifierOutput:
        return TokenClassifierOutput(logits=self.logits)


WORDS = [
    Row(Example("a", {}, (2, 0)), ([5, 6, 7],), targets=(2, IGNORED, 0)),
    Row(Example("b", {}, (1,)), ([5, 6],), targets=(IGNORED, 1)),
]
CHOICES = [Row(Example("a", {}, 1), ([1], [2])), Row(Example("b", {}, 2), ([1], [2], [3]))]


def smoothed(logits: torch.Tensor, rows: list[Row], losses: torch.Tensor) -> torch.Tensor:
    model, batch = Answers(logits), Batch(rows, {"input_ids": torch.ones(2, 3)})

    def inner(_batch: Batch) -> torch.Tensor:
        model()
        return losses

    return make("label_smoothing", {"epsilon": 0.2}).losses(Training(model, n_steps=1, seed=0), batch, inner)


def test_labels_of_words_are_smoothed_word_by_word() -> None:
    """Torch's, summed over the words of a row; positions that are no word, virtual tokens and padding have no part."""
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 3)  # one virtual token stands before three
    asked = [(logits[0, [1, 3]], torch.tensor([2, 0])), (logits[1, [2]], torch.tensor([1]))]
    plain, expected = (
        torch.stack([cross_entropy(part, labels, label_smoothing=e, reduction="sum") for part, labels in asked])
        for e in (0.0, 0.2)
    )
    torch.testing.assert_close(smoothed(logits, WORDS, plain), expected)


def test_choices_are_smoothed_among_those_of_a_question() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 1)
    asked = [(logits[:2, 0], torch.tensor(1)), (logits[2:, 0], torch.tensor(2))]
    plain, expected = (
        torch.stack([cross_entropy(part, label, label_smoothing=e) for part, label in asked]) for e in (0.0, 0.2)
    )
    torch.testing.assert_close(smoothed(logits, CHOICES, plain), expected)


def test_a_number_has_no_distribution() -> None:
    rows = [Row(Example(str(n), {}, 0.5), ([1],)) for n in range(2)]
    with pytest.raises(Unsupported, match="a number has no distribution"):
        smoothed(torch.zeros(2, 1), rows, torch.zeros(2))


def test_layerwise_decay_goes_down_with_the_blocks() -> None:
    model = tiny.encoder()
    training = Training(model, n_steps=1, seed=0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = make("layerwise_decay", {"factor": 0.5}).groups(training, [{"params": training.trained, "lr": 8.0}])
    rates = {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(names)
    assert rates["classifier.weight"] == 8.0
    blocks = [rates[f"bert.encoder.layer.{n}.attention.self.query.weight"] for n in range(tiny.BLOCKS)]
    assert blocks == [2.0, 4.0, 8.0]
    assert rates["bert.embeddings.word_embeddings.weight"] == 1.0


def test_word_dropout_leaves_out_its_share_of_the_words() -> None:
    words = [f"w{n}" for n in range(2000)]
    train = [Example("a", {"text": " ".join(words)}, 1, choices=("one two",)), Example("b", {"text": "word"}, 0)]
    recipe = make("word_dropout", {"rate": 0.3})
    made = recipe.examples(train, 1, np.random.default_rng(0))
    kept = made[0].fields["text"].split(" ")
    assert 1300 < len(kept) < 1500
    assert [word for word in words if word in set(kept)] == kept
    assert made[1] == train[1]
    assert (made[0].id, made[0].target, made[0].choices) == ("a", 1, ("one two",))
