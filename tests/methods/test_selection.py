"""What full, last_layers and zero_shot train, and where they can't run."""

import pytest
from torch import nn

from harness.core.errors import SpecError
from harness.formulation import FORMULATIONS
from harness.method import BaseInfo, BaseKind, Method, Scoring, TaskInfo
from harness.methods.adapters import Adapters
from harness.methods.full import FullFineTuning
from harness.methods.last_layers import LastLayers
from harness.methods.prefix import PrefixTuning
from harness.methods.zero_shot import ZeroShot
from harness.testing import tiny


def trained_names(method: Method, kind: BaseKind) -> set[str]:
    model = method.apply(tiny.load(kind), tiny.context(kind))
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def encoder(architecture: str = "bert", *, mask_head: bool = False, embeds: bool = False) -> BaseInfo:
    return BaseInfo("encoder", "none", architecture, 2, 16, has_mask_head=mask_head, is_sentence_embedding=embeds)


def test_full_trains_everything_and_says_why_not_on_a_quantized_base() -> None:
    assert trained_names(FullFineTuning(), "encoder") == {name for name, _ in tiny.load("encoder").named_parameters()}
    reason = FullFineTuning().skip(tiny.base_info("encoder", "4bit"), tiny.task_info("encoder"))
    assert reason == "4bit weights are integers and cannot be trained: full training needs quantization none"


@pytest.mark.parametrize(("n_layers", "trained"), [(1, {2}), (2, {1, 2}), (9, {0, 1, 2})])
def test_last_layers_trains_the_last_blocks_and_the_head(n_layers: int, trained: set[int]) -> None:
    method = LastLayers(n_layers=n_layers)
    names = trained_names(method, "encoder")
    assert names == {
        name
        for name, _ in tiny.load("encoder").named_parameters()
        if name.startswith(("classifier.", *(f"bert.encoder.layer.{index}." for index in trained)))
    }
    assert set(method.unquantized_blocks(tiny.BLOCKS)) == trained


def test_last_layers_of_an_encoder_decoder_are_the_decoders() -> None:
    assert {name.split(".")[0] for name in trained_names(LastLayers(), "encoder_decoder")} == {"decoder"}


@pytest.mark.parametrize(
    ("base", "formulation", "reason"),
    [
        (encoder(), "mask", "no mask-filling head"),
        (encoder(mask_head=True), "mask", None),
        (encoder(), "similarity", "not trained to embed"),
        (encoder(embeds=True), "similarity", None),
    ],
)
def test_untrained_answers_need_a_base_that_can(base: BaseInfo, formulation: str, reason: str | None) -> None:
    answer = FORMULATIONS.make(formulation).skip(base, TaskInfo("classification", formulation, 2, is_trained=False))
    assert (answer is None) == (reason is None)
    assert (reason or "") in (answer or "")


def test_zero_shot_trains_no_head() -> None:
    asked = TaskInfo("classification", "head", 2, has_head=True, is_trained=False)
    assert "a new head would answer at random" in (ZeroShot().skip(encoder(), asked) or "")
    assert ZeroShot().skip(encoder(), TaskInfo("classification", "mask", 2, is_trained=False)) is None


def test_zero_shot_hands_its_fields_to_the_evaluation() -> None:
    method = ZeroShot(n_shots=4, normalization="length", calibration="contextual")
    assert method.scoring() == Scoring(n_shots=4, normalization="length", calibration="contextual")
    assert LastLayers().scoring() == Scoring()


def test_prefix_names_the_library_that_cannot() -> None:
    reason = PrefixTuning().skip(encoder("distilbert"), TaskInfo("classification", "head", 2))
    assert reason is not None
    assert "transformers' distilbert" in reason


@pytest.mark.parametrize("method", [FullFineTuning(), LastLayers()], ids=["full", "last_layers"])
def test_a_plain_checkpoint_is_the_model_itself(method: Method) -> None:
    model = nn.Linear(2, 2)
    assert method.merge(model) is model


@pytest.mark.parametrize("method", [Adapters(), ZeroShot()], ids=["adapters", "zero_shot"])
def test_no_plain_checkpoint_exists_of_some(method: Method) -> None:
    with pytest.raises(SpecError, match="no plain checkpoint"):
        method.merge(nn.Linear(2, 2))
