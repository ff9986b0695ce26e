"""The base as it is."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.method import BaseInfo, Context, Family, Method, Scoring, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class ZeroShot(Method):
    """Nothing is trained: the base answers a prompt, fills in a mask, or compares the text with label descriptions.

    ``calibration`` contextual is Zhao et al. 2021 (https://arxiv.org/abs/2102.09690): scores are corrected by those of
    a content-free input. unconditional is Brown et al., section 2.4: each answer's likelihood is divided by the one it
    has without the question.

    ``shots`` nearest is Liu et al. 2021 (https://arxiv.org/abs/2101.06804) with words in common instead of embeddings:
    of a question's examples the most alike stands last, and labels are there as often as they come.
    """

    source: ClassVar[str] = "Brown et al. 2020, https://arxiv.org/abs/2005.14165"
    family: ClassVar[Family] = "none"
    trains: ClassVar[bool] = False

    n_shots: int = Field(0, ge=0, description="Solved examples before the question, taken from train.")
    shots: Literal["random", "nearest"] = Field(
        "random", description="Which examples: the same for all questions, by the seed, or those most like each."
    )
    normalization: Literal["none", "length"] = Field("none", description="Divide log-likelihoods by answer length.")
    calibration: Literal["none", "contextual", "unconditional"] = Field(
        "none", description="Correct scores for the answers' own likelihood."
    )

    @model_validator(mode="after")
    def _shots_fit(self) -> Self:
        if self.shots == "nearest" and not self.n_shots:
            raise ValueError("shots nearest needs n_shots of 1 or more")
        if self.shots == "nearest" and self.calibration == "contextual":
            raise ValueError("calibration contextual needs the same shots for all questions: shots must be random")
        return self

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A base that can only answer through a new head gives random answers, as nothing trains that head."""
        return "zero_shot trains nothing, so a new head would answer at random" if task.has_head else None

    def scoring(self) -> Scoring:
        """The fields, for the evaluation."""
        return Scoring(self.n_shots, self.shots, self.normalization, self.calibration)

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The same model, frozen."""
        return model.requires_grad_(False)
