"""Log-likelihoods of choices against a plain loop and against lm-evaluation-harness."""

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.core.errors import SpecError
from harness.data.tasks import find_task
from harness.formulations._likelihood import BoundLikelihood
from harness.method import METHODS, Scoring
from harness.runs.predict import predict
from harness.task import Example
from tests.conftest import MakeSpec
from tests.ready import ready

SENTENCES = ["the film is superb", "a dull plot", "one great cast with the film and a plot", "awful"]


def likelihood(spec_maker: MakeSpec, kind: str = "decoder", verbalizers: tuple[str, ...] = ()) -> BoundLikelihood:
    task = find_task("sst2").model_copy(update={"verbalizers": verbalizers}) if verbalizers else None
    formulation = ready(spec_maker("zero_shot", kind), task).formulation
    assert isinstance(formulation, BoundLikelihood)
    return formulation


def examples() -> list[Example]:
    return [Example(str(n), {"sentence": text}, n % 2) for n, text in enumerate(SENTENCES)]


@torch.no_grad()
def plain_score(model: nn.Module, prompt: list[int], choice: list[int]) -> float:
    """One sequence at a time, all logits, no padding."""
    logits = model(input_ids=torch.tensor([prompt + choice])).logits[0]
    log_probs = torch.log_softmax(logits, -1)
    return sum(float(log_probs[len(prompt) + n - 1, token]) for n, token in enumerate(choice))


CHOICES = {
    "one token each": (" negative", " positive"),
    "several tokens": (" very awful film", " positive"),
    "one begins the other": (" good", " good film and plot"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_equals_a_plain_loop(name: str, make_spec: MakeSpec) -> None:
    formulation = likelihood(make_spec, verbalizers=CHOICES[name])
    answers = predict(formulation.base.model, formulation, formulation.encode(examples()))
    tokenizer = formulation.tokenizer
    for example, answer in zip(examples(), answers, strict=True):
        prompt = tokenizer(formulation.prompts.prompt(example))["input_ids"]
        plain = [plain_score(formulation.base.model, prompt, tokenizer(c)["input_ids"]) for c in CHOICES[name]]
        assert answer.scores == pytest.approx(plain, abs=1e-4)


def test_shared_inputs_are_computed_once(make_spec: MakeSpec) -> None:
    n_sequences = {
        name: len(likelihood(make_spec, verbalizers=choices).encode(examples())[0].sequences)
        for name, choices in CHOICES.items()
    }
    assert n_sequences == {"one token each": 1, "several tokens": 1, "one begins the other": 1}


def test_encoder_decoder_equals_its_own_loss(make_spec: MakeSpec) -> None:
    formulation = likelihood(make_spec, "encoder_decoder")
    model, tokenizer = formulation.base.model, formulation.tokenizer
    answers = predict(model, formulation, formulation.encode(examples()))
    for example, answer in zip(examples(), answers, strict=True):
        inputs = tokenizer(formulation.prompts.prompt(example), return_tensors="pt")["input_ids"]
        for choice, score in zip(formulation.task.verbalizers, answer.scores, strict=True):
            labels = tokenizer(choice.strip(), return_tensors="pt")["input_ids"]
            with torch.no_grad():
                mean = model(input_ids=inputs, labels=labels).loss
            assert score == pytest.approx(-float(mean) * labels.shape[1], abs=1e-4)


def test_training_loss_is_the_right_choice(make_spec: MakeSpec) -> None:
    formulation = likelihood(make_spec)
    device = torch.device("cpu")
    answers = predict(formulation.base.model, formulation, formulation.encode(examples()))
    right = [answer.scores[int(e.target)] for e, answer in zip(examples(), answers, strict=True)]  # type: ignore[arg-type]
    batch = formulation.collate(formulation.encode_training(examples()), device)
    loss = formulation.losses(formulation.base.model.eval(), batch).mean()
    assert float(loss) == pytest.approx(-sum(right) / len(right), abs=1e-5)


def test_contextual_calibration_by_hand(make_spec: MakeSpec) -> None:
    """Zhao et al. 2021: divide by the mean probability given content-free inputs, normalized over the labels."""
    plain, calibrated = likelihood(make_spec), likelihood(make_spec)
    calibrated.scoring = Scoring(calibration="contextual")
    model = plain.base.model
    with torch.no_grad():
        raw = predict(model, plain, plain.encode(examples()))
        free = [Example("", {"sentence": text}, 0) for text in ("N/A", "[MASK]", "")]
        content_free = torch.tensor([a.scores for a in predict(model, plain, plain.encode(free))]).softmax(-1).mean(0)
        answers = predict(calibrated.base.model, calibrated, calibrated.encode(examples()))
    for before, after in zip(raw, answers, strict=True):
        expected = torch.tensor(before.scores) - content_free.log()
        assert after.scores == pytest.approx(expected.tolist(), abs=1e-4)


def test_shots_are_balanced_seeded_and_from_train(make_spec: MakeSpec) -> None:
    formulation = likelihood(make_spec)
    formulation.scoring = Scoring(n_shots=4)
    train = [Example(str(n), {"sentence": f"film {n}"}, n % 2) for n in range(40)]
    formulation.prepare(formulation.base.model, train)
    shots = formulation.prompts.shots
    assert sorted(shot.target for shot in shots) == [0, 0, 1, 1]  # type: ignore[type-var]
    formulation.prepare(formulation.base.model, train)
    assert formulation.prompts.shots == shots
    prompt = formulation.prompts.prompt(examples()[0])
    assert prompt.count("Sentiment:") == 5
    assert prompt.endswith(f"Review: {SENTENCES[0]}\nSentiment:")


def test_nearest_shots_are_those_with_most_in_common(make_spec: MakeSpec) -> None:
    """Each question has its own; the best match stands next to it, and a question is never its own example."""
    formulation = likelihood(make_spec)
    formulation.scoring = Scoring(n_shots=2, shots="nearest")
    texts = ("a dull slow plot", "the cast is fine", "a dull plot", "bright colours")
    train = [Example(str(n), {"sentence": text}, n % 2) for n, text in enumerate(texts)]
    formulation.prepare(formulation.base.model, train)

    def shown(question: Example) -> list[str]:
        prompt = formulation.prompts.prompt(question)
        return [part.split("\n")[0].removeprefix("Review: ") for part in prompt.split("\n\n")]

    asked = Example("q", {"sentence": "a dull plot indeed"}, 0)
    assert shown(asked) == ["a dull slow plot", "a dull plot", "a dull plot indeed"]
    assert texts[1] not in shown(train[1])[:-1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shots": "nearest"}, "n_shots of 1"),
        ({"shots": "nearest", "n_shots": 2, "calibration": "contextual"}, "random"),
    ],
)
def test_shots_that_fit_nothing_else(settings: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        METHODS.make("zero_shot", settings)


def _check_against_lm_eval(formulation: BoundLikelihood, tested: list[Example], tolerance: float) -> None:
    huggingface = pytest.importorskip("lm_eval.models.huggingface")
    from lm_eval.api.instance import Instance

    answers = predict(formulation.base.model, formulation, formulation.encode(tested))
    other = huggingface.HFLM(pretrained=formulation.base.model, tokenizer=formulation.tokenizer, batch_size=8)
    pairs = [(formulation.prompts.prompt(e), choice) for e in tested for choice in formulation.prompts.choices(e)]
    requests = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    theirs = [score for score, _ in other.loglikelihood(requests, disable_tqdm=True)]
    ours = [score for answer in answers for score in answer.scores]
    assert ours == pytest.approx(theirs, abs=tolerance)


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_lm_evaluation_harness(make_spec: MakeSpec) -> None:
    _check_against_lm_eval(likelihood(make_spec, verbalizers=CHOICES["several tokens"]), examples(), 1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_real_weights_agree_with_lm_evaluation_harness(make_spec: MakeSpec, tmp_path: Path) -> None:
    """fp32, the prompt and choices of the README; the figures over all of SST-2 are in the README."""
    formulation = ready(make_spec("zero_shot", base={"name": "smollm2-135m"})).formulation
    assert isinstance(formulation, BoundLikelihood)
    texts = ["it 's a charming and often affecting journey .", "unflinchingly bleak and desperate", "a dull film"]
    tested = [Example(str(n), {"sentence": text}, 0) for n, text in enumerate(texts)]
    assert formulation.prompts.prompt(tested[2]) == "Review: a dull film\nSentiment:"
    _check_against_lm_eval(formulation, tested, 1e-3)
    assert [a.prediction for a in predict(formulation.base.model, formulation, formulation.encode(tested))][::2] == [
        1,
        0,
    ]
