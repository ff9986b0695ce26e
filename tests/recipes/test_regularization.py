"""Regularizers against their formulas."""

import pytest
import torch
from scipy.stats import entropy
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from harness.bases.load import Wanted, load
from harness.core.errors import Unsupported
from harness.core.spec import BaseSpec
from harness.formulation import Batch, Row
from harness.recipe import RECIPES, Training
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.task import Example
from harness.testing import tiny
from harness.testing.recipe import equal, train
from tests.conftest import MakeSpec

make = RECIPES.make


def weights(**values: list[float]) -> nn.Module:
    """A model of weights whose task loss is their sum."""
    model = nn.Module()
    for name, value in values.items():
        setattr(model, name, nn.Parameter(torch.tensor(value)))
    return model


def backward(training: Training, name: str, **settings: float) -> None:
    recipe = make(name, settings)
    recipe.begin(training)
    for parameter in training.trained:
        parameter.data += 1

    def inner() -> float:
        loss = torch.stack([parameter.sum() for parameter in training.trained]).sum()
        loss.backward()
        return loss.item()

    recipe.backward(training, inner)


def test_l2_sp_pulls_towards_the_start_or_to_zero() -> None:
    """All weights have moved by 1: the gradient is 1 + alpha · 1 of old weights and 1 + beta · v of new ones."""
    model = weights(old=[[5.0, -2.0]], new=[3.0])
    training = Training(model, n_steps=1, seed=0, new=frozenset({"new"}))
    backward(training, "l2_sp", alpha=0.5, beta=0.25)
    assert model.old.grad.tolist() == [[1.5, 1.5]]
    assert model.new.grad.tolist() == [1 + 0.25 * 4]
    assert training.take_logged()["l2_sp/penalty"] == pytest.approx(0.5 / 2 * 2 + 0.25 / 2 * 16)


def test_elastic_net_leaves_vectors_alone() -> None:
    model = weights(matrix=[[1.0, -3.0]], bias=[7.0])  # at 2 and -2 when the gradient is taken
    training = Training(model, n_steps=1, seed=0)
    backward(training, "elastic_net", l1=0.5, l2=0.25)
    assert model.matrix.grad.tolist() == [[1 + 0.5 + 0.25 * 2, 1 - 0.5 - 0.25 * 2]]
    assert model.bias.grad.tolist() == [1.0]
    assert training.take_logged()["elastic_net/penalty"] == pytest.approx(0.5 * 4 + 0.25 / 2 * 8)


@pytest.mark.parametrize("name", ["l2_sp", "mixout"])
def test_without_pretrained_weights_a_cell_is_skipped(name: str, make_spec: MakeSpec, tmp_path: object) -> None:
    record = run(make_spec("lora", recipes=[{"name": name}]), tmp_path)  # type: ignore[arg-type]
    assert record.status == "skipped"
    assert "this method trains no" in (record.reason or "")


def test_weight_decay_is_that_of_matrices() -> None:
    model = tiny.encoder()
    training = Training(model, n_steps=1, seed=0)
    groups = make("weight_decay", {"decay": 0.5}).groups(training, [{"params": training.trained, "lr": 1.0}])
    decayed = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decayed) == len(training.trained)
    for name, parameter in model.named_parameters():
        is_free = name.endswith("bias") or "LayerNorm" in name
        assert decayed[id(parameter)] == (0.0 if is_free else 0.5), name


def test_mixout_goes_back_to_the_pretrained_weights_in_its_share() -> None:
    """The loss is Σ w²/2, so its gradient shows the weights as they were mixed; on average they are w."""
    torch.manual_seed(0)
    model = tiny.encoder()
    weight = model.bert.encoder.layer[0].attention.self.query.weight
    training = Training(model, n_steps=1, seed=0)
    recipe = make("mixout", {"rate": 0.75})
    recipe.begin(training)
    start = weight.detach().clone()
    with torch.no_grad():
        weight += 1
    moved, mixed = weight.detach().clone(), []

    def inner() -> float:
        mixed.append(weight.detach().clone())
        (weight.square().sum() / 2).backward()
        return 0.0

    recipe.backward(training, inner)
    replaced = (mixed[0] - start).abs() < 1e-6
    assert replaced.float().mean().item() == pytest.approx(0.75, abs=0.05)
    torch.testing.assert_close(mixed[0][~replaced], (start + 4)[~replaced])
    torch.testing.assert_close(weight.detach(), moved, rtol=0, atol=0)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.where(replaced, 0.0, 4 * mixed[0]))


def test_gradual_unfreezing_takes_one_block_after_another() -> None:
    """Three blocks and the embeddings over the first half of eight steps."""
    model = tiny.encoder()
    training, recipe = Training(model, n_steps=8, seed=0), make("gradual_unfreezing", {"share": 0.5})
    recipe.begin(training)
    groups = recipe.groups(training, [{"params": training.trained, "lr": 1.0}])
    optimizer = recipe.optimizer(groups, torch.optim.SGD)
    names = {
        "head": model.classifier.weight,
        **{f"block {n}": block.output.dense.weight for n, block in enumerate(model.bert.encoder.layer)},
        "positions": model.bert.embeddings.position_embeddings.weight,
    }
    before = {name: weight.detach().clone() for name, weight in names.items()}
    first_moved: dict[str, int] = {}

    def inner() -> float:
        for parameter in training.trained:
            parameter.grad = torch.ones_like(parameter)
        return 0.0

    for step in range(1, 7):
        training.step = step
        for group in optimizer.param_groups:
            group["lr"] = 1.0  # as a schedule does before every step
        recipe.backward(training, inner)
        optimizer.step()
        for name, weight in names.items():
            if not torch.equal(weight, before[name]):
                first_moved.setdefault(name, step)
    assert first_moved == {"head": 1, "block 2": 1, "block 1": 3, "block 0": 4, "positions": 5}


def test_gradual_unfreezing_needs_blocks(make_spec: MakeSpec) -> None:
    training = Training(tiny.encoder().requires_grad_(False), n_steps=8, seed=0)
    training.model.classifier.requires_grad_(True)
    with pytest.raises(Unsupported, match="in several blocks"):
        make("gradual_unfreezing").groups(training, [{"params": training.trained, "lr": 1.0}])


def test_r_drop_adds_the_symmetric_divergence() -> None:
    """SciPy's relative entropies of what the two passes answered."""
    answers = iter(torch.tensor([[[1.0, 2.0], [0.0, 0.5]], [[1.5, 0.0], [0.0, 0.5]]]))

    class Answers(nn.Module):
        def forward(self) -> SequenceClassifierOutput:
            return SequenceClassifierOutput(logits=next(answers))

    model, seen = Answers(), []

    def inner(batch: Batch) -> Tensor:
        seen.append(model().logits)
        return torch.tensor([1.0, 10.0]) * len(seen)

    batch = Batch([Row(Example(str(n), {}, 0), ([1],)) for n in range(2)], {})
    made = make("r_drop", {"alpha": 3.0}).losses(Training(model, n_steps=1, seed=0), batch, inner)
    p, q = (logits.softmax(-1).numpy() for logits in seen)
    expected = [3.0 * (entropy(p[n], q[n]) + entropy(q[n], p[n])) / 2 for n in range(2)]
    torch.testing.assert_close(made, torch.tensor([3.0 + expected[0], 30.0 + expected[1]], dtype=torch.float32))


OFF = {
    "label_smoothing": {"epsilon": 0.0},
    "l2_sp": {"alpha": 0.0, "beta": 0.0},
    "elastic_net": {"l1": 0.0, "l2": 0.0},
    "mixout": {"rate": 0.0},
    "layerwise_decay": {"factor": 1.0},
    "weight_decay": {"decay": 0.0},
    "smart": {"weight": 0.0},
    "vat": {"weight": 0.0},
    "token_cutoff": {"alpha": 0.0, "beta": 0.0},
    "simcse": {"weight": 0.0},
    "word_dropout": {"rate": 0.0},
    "noise": {"rate": 0.0},
    "length": {"rate": 0.0},
}
"""Settings at which a recipe does nothing."""


@pytest.mark.parametrize("name", OFF)
def test_off_is_no_recipe_to_the_last_bit(name: str, make_spec: MakeSpec) -> None:
    from harness.testing.recipe import AllWeights

    # Computing the first token alone rounds differently; simcse, which reads all of them, is trained without that.
    speed = {"first_token": False}
    cell = resolve(make_spec("full", training={"batch_size": 8, "epochs": 2}, base={"dropout": 0.0}, speed=speed))
    object.__setattr__(cell, "method", AllWeights())
    plain, off = train(cell), train(cell, make(name, OFF[name]))
    assert equal(plain.weights, off.weights)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "encoder_decoder"])
def test_the_bases_dropout_is_a_field(kind: str, make_spec: MakeSpec) -> None:
    """Every dropout of the model has the probability; what it was else is the configuration's."""
    spec = make_spec("full", kind).base
    classes = {"encoder": "AutoModelForSequenceClassification", "decoder": "AutoModelForCausalLM"}
    wanted = Wanted(classes.get(kind, "AutoModelForSeq2SeqLM"), 2 if kind == "encoder" else None, dropout=0.25)
    model = load(BaseSpec(name=spec.name), wanted).model
    found = {module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    found |= {m.attention_dropout for m in model.modules() if hasattr(m, "attention_dropout")}
    assert found == {0.25}
