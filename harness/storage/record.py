"""What one run leaves behind: the keys of record.json."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.core.spec import RunSpec

SCHEMA = 2
"""2: run_id covers the base's weights and leaves out what stands at its default. Records of 1 are still read."""
Status = Literal["ok", "skipped", "failed", "diverged", "out_of_memory"]
RETRIED = ("failed", "out_of_memory")
"""What ``--retry-failed`` runs again. A run that diverged would diverge again: it is a result."""


class Part(BaseModel):
    """A part of a record; unknown keys of newer versions are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


def _has_steps(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    if not all("step" in point for point in curve):
        raise ValueError("a point of the curve has no step")
    return curve


def _has_versions(environment: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(environment.get("versions", {}), dict):
        raise ValueError("versions are no table")
    return environment


def _is_counted(tests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if not all(isinstance(test.get(key), int) for test in tests.values() for key in ("size", "overlap")):
        raise ValueError("a test out of domain has no size or overlap")
    return tests


class Params(Part):
    """Logical parameter counts: a packed 4-bit weight counts as the weights it stands for."""

    trainable: int = 0
    trainable_final: int = Field(0, description="Left at the end of training where it prunes (AdaLoRA); else the same.")
    head: int = Field(0, description="Trainable parameters of the task head, part of trainable.")
    total: int = 0
    trainable_percent: float = 0.0
    stored_bytes: int = Field(0, description="Size of what must be kept per task, on disk.")
    init_hash: str = Field("", description="SHA-256 of the trainable weights as training found them.")
    stored_hash: str = Field("", description="SHA-256 of the files of the adapter.")


class Weights(Part):
    """Which weights the base's name stood for."""

    source: str = Field("", description="path, hub or asset, with the place.")
    fingerprint: str = Field("", description="12 hex digits of the files' SHA-256, or of the hub's commit.")
    pretrained: str = Field("", description="The same of the base as a recipe pretrained it before the method began.")


class PeakMemory(Part):
    """Largest memory of a phase in bytes."""

    train: int = 0
    eval: int = 0


class Cost(Part):
    """Time, tokens and memory of the run."""

    load_seconds: float = 0.0
    tokenize_seconds: float = 0.0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    total_seconds: float = 0.0
    train_tokens: int = Field(0, description="Real tokens trained on, padding not counted.")
    padded_tokens: int = Field(0, description="Tokens computed in training, padding included.")
    eval_tokens: int = Field(0, description="Real tokens read in eval_seconds: all validations and the tests.")
    peak_memory_bytes: PeakMemory = Field(default_factory=PeakMemory)
    optimizer_bytes: int | None = Field(None, description="What the optimizer keeps from one step to the next.")
    memory_kind: str = Field("", description="'rss' on the CPU, 'cuda' on a GPU.")
    pretrain_seconds: float = Field(
        0.0, description="What a recipe's pretraining of the base took when it was done, before train_seconds."
    )
    pretrain_passes: float = Field(0.0, description="Passes over each of its texts.")
    pretrain_tokens: int = Field(0, description="Real tokens it read.")
    pretrain_cached: bool | None = Field(None, description="Whether it was done before this run.")
    probe_seconds: dict[str, float] = Field(
        default_factory=dict, description="Probe that was asked for → what it took, part of total_seconds."
    )


class DataInfo(Part):
    """Where the examples came from and which they were."""

    source: str = Field("", description="path, mirror, hub or asset, with the place.")
    protocol: Literal["official", "carved", "folds", ""] = ""
    fingerprint: str = Field("", description="12 hex digits over every example used, in order.")
    sizes: dict[str, int] = Field(default_factory=dict)
    truncated: int = Field(0, description="Examples cut to base.max_length, all splits.")
    dropped_duplicates: int = Field(0, description="Examples dropped because a split to be judged on has their text.")
    left_out: dict[str, int] = Field(default_factory=dict, description="What of the source is no example → how many.")
    augmented: dict[str, int] = Field(
        default_factory=dict,
        description="Training examples that recipes made, in all epochs; those put back as they are judged on.",
    )
    out_of_domain: Annotated[dict[str, dict[str, Any]], AfterValidator(_is_counted)] = Field(
        default_factory=dict, description="Task → source, fingerprint, size, and overlap of its test with train."
    )

    def notes(self) -> list[str]:
        """Sentences on what a user may not expect of the examples."""
        notes = [f"{number:,} {what} left out" for what, number in self.left_out.items()]
        if self.dropped_duplicates:
            notes.append(f"{self.dropped_duplicates:,} examples dropped whose text is in a split to be judged on")
        if put_back := self.augmented.get("put_back"):
            notes.append(f"{put_back:,} augmented texts not learned: they are in a split to be judged on")
        if self.protocol == "carved":
            notes.append(f"test is carved from train ({self.sizes.get('test', 0):,} examples)")
        return notes


class StoredFile(Part):
    """A file of the run as it was when the run finished."""

    size_bytes: int
    sha256: str = Field("", description="Of a parquet file; the adapter's files have params.stored_hash.")


class AnswerCounts(Part):
    """How many answers the metrics of a split are made of."""

    asked: int = Field(description="Examples of the split.")
    scored: int = Field(description="Answers that were judged; a run with fewer than asked is failed.")
    distinct: int = Field(description="Different answers: 1 where the model always says the same.")


class Record(Part):
    """One finished run."""

    schema_: int = Field(SCHEMA, alias="schema")
    run_id: str
    status: Status
    reason: str | None = None
    spec: RunSpec
    label: str = Field("", description="What the suite that made the run first calls its method.")
    members: list[str] = Field(default_factory=list, description="Run ids of what an ensemble combines.")
    started_at: str
    finished_at: str
    task: dict[str, Any] = Field(default_factory=dict, description="The task as it was: labels, prompts, scale.")
    primary_metric: str = ""
    metrics: dict[str, float] = Field(
        default_factory=dict, description="Chosen checkpoint: 'split/metric', or 'task/metric' out of domain."
    )
    metrics_last: dict[str, float] = Field(default_factory=dict, description="The same for the last checkpoint.")
    answered: dict[str, AnswerCounts] = Field(
        default_factory=dict, description="Split, or task out of domain → counts."
    )
    params: Params = Field(default_factory=Params)
    cost: Cost = Field(default_factory=Cost)
    curve: Annotated[list[dict[str, float]], AfterValidator(_has_steps)] = Field(default_factory=list)
    measured: dict[str, float] = Field(default_factory=dict, description="What its probes measured, by quantity.")
    measured_intervals: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="Quantity → ends of its 95 % interval over examples, where they tell one."
    )
    measured_reasons: dict[str, str] = Field(default_factory=dict, description="Quantity → why it has no value.")
    data: DataInfo = Field(default_factory=DataInfo)
    weights: Weights = Field(default_factory=Weights)
    environment: Annotated[dict[str, Any], AfterValidator(_has_versions)] = Field(default_factory=dict)
    files: dict[str, StoredFile] = Field(default_factory=dict, description="Path in the run's folder → what is stored.")
    sha256: str = Field("", description="Of the bytes of the file before this key; empty where nothing is checked.")

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    def metric(self, split: str = "test", checkpoint: Literal["chosen", "last"] = "chosen") -> float | None:
        """The primary metric of a split, or None where the run has none."""
        values = self.metrics if checkpoint == "chosen" else self.metrics_last
        return values.get(f"{split}/{self.primary_metric}")
