"""One run, from spec to record."""

import errno
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from harness import data
from harness.bases.weights import check_unchanged, weights_of
from harness.core.errors import HarnessError, NoResult, SourceError, Unsupported
from harness.core.seeds import derive
from harness.core.spec import RunSpec
from harness.data import out_of_domain
from harness.data.leakage import loose_key
from harness.formulation import BoundFormulation, Row
from harness.libraries.trackers import Tracked, Tracker, tracked
from harness.measure.environment import environment
from harness.runs import identity
from harness.runs.adapted import Adapted, adapt, load_base, start_batches
from harness.runs.examined import subject_of
from harness.runs.predict import Judged, predict
from harness.runs.pretrained import Price, start
from harness.runs.probing import Probing
from harness.runs.progress import RunProgress, run_progress
from harness.runs.resolve import Resolved, resolve
from harness.runs.shareable import check_shareable
from harness.runs.soundness import check_asked
from harness.speed.allocator import keep_large_buffers
from harness.storage.checkpoint import hash_folder, hash_tensors, trainable
from harness.storage.measured import MEASURED, write_examples
from harness.storage.predictions import PREDICTIONS, write_predictions
from harness.storage.record import RETRIED, AnswerCounts, Cost, DataInfo, Params, Record, Status, Weights
from harness.storage.store import Store
from harness.task import Example, Splits, declaration
from harness.training.batches import planned_steps
from harness.training.fit import Diverged, Fitted, fit, restore
from harness.training.hooks import Trainee
from harness.training.ranks import Ranks, join
from harness.training.reach import Reach
from harness.training.resume import Checkpoints

OnValidation = Callable[[int, dict[str, float]], None]


def run(
    spec: RunSpec | Resolved,
    results: Path = Path("results"),
    *,
    force: bool = False,
    label: str = "",
    on_validation: OnValidation | None = None,
    checkpoint_every: int | None = None,
    tracker: Tracker | None = None,
) -> Record:
    """The record of a run: the stored one if it is finished, else a new one.

    A failed or out-of-memory run is tried again. One that another process is making is waited for and returned, however
    it ended. An exception of ``on_validation``, like Ctrl-C, passes through and
    leaves no record.

    The processes that ``torchrun`` has started share each step; the first of them writes, and all return its record.

    Args:
        spec: What to run; ``resolve`` fills in its defaults.
        results: Folder that holds ``runs/``.
        force: Repeat a finished run and keep the old record beside the new one.
        label: What a suite calls the method; a new record keeps it, and its run_id does not depend on it.
        on_validation: Told the step of every validation during training, and its point of the curve.
        checkpoint_every: Optimizer steps after which the state of training is kept until the run is finished. A state
            that an interrupted run has left is used, whether or not new ones are asked for.
        tracker: Told of a new run: its spec, its curve as it grows, and what the record says in the end.

    Raises:
        SpecError, SourceError: wrong input; nothing is written.
        StorageError: the disk is full or the results can't be written; no record is left.
    """
    keep_large_buffers()
    store, resolved, ranks = Store(results), spec if isinstance(spec, Resolved) else resolve(spec), join()
    if ranks.n > 1:
        check_shareable(resolved, ranks.n, on_validation is not None, checkpoint_every is not None)
    splits, info = data.load(resolved.task, resolved.spec.task, resolved.spec.seed)
    resolved = replace(resolved, task=data.scaled(resolved.task, splits.train))
    weights = weights_of(resolved.spec.base.name)
    run_id = identity.run_id(resolved, info.fingerprint, weights.fingerprint)
    checkpoints = Checkpoints(store.checkpoint(run_id), run_id, checkpoint_every)
    prepared = _Prepared(resolved, splits, info, weights, on_validation, checkpoints, ranks)
    if not ranks.is_first:
        return _record_of_first(prepared, run_id)
    before = store.find(run_id)
    if before and before.status not in RETRIED and not force:
        return _told(before, ranks)
    with store.locked(run_id):
        meanwhile = store.find(run_id)
        if meanwhile and not (before and meanwhile.model_dump_json() == before.model_dump_json()):
            return _told(meanwhile, ranks)
        ranks.from_first(None)
        if force:
            checkpoints.remove()
        with (
            store.writing(run_id, resolved.spec) as folder,
            run_progress() as progress,
            tracked(tracker, run_id, resolved.spec, results, checkpoints.path.exists()) as told,
        ):
            attempt = _Attempt(prepared, folder, progress, told)
            record = attempt.record(run_id, label)
            try:
                check_unchanged(resolved.spec.base.name, weights)
            except SourceError:
                checkpoints.remove()  # a state of other weights is not to be gone on with
                raise
            record = store.finish(folder, record)
        if record.status not in RETRIED:
            checkpoints.remove()
    return _told(record, ranks) if attempt.is_shared(record) else record


@dataclass(frozen=True)
class _Prepared:
    """A run with its examples and weights, for this process to make or to take part in."""

    run: Resolved
    splits: Splits
    info: DataInfo
    weights: Weights
    on_validation: OnValidation | None
    checkpoints: Checkpoints
    ranks: Ranks


def _told(record: Record, ranks: Ranks) -> Record:
    """The record, which the other processes are told."""
    ranks.from_first(record.model_dump(mode="json", by_alias=True))
    return record


def _record_of_first(prepared: _Prepared, run_id: str) -> Record:
    """The record that the first process writes; this one computes its share and writes nothing that is kept.

    Raises:
        HarnessError: this process alone failed; its end ends the others.
    """
    ranks = prepared.ranks
    if stored := ranks.from_first():
        return Record.model_validate(stored)
    with TemporaryDirectory() as folder, run_progress(is_shown=False) as progress:
        attempt = _Attempt(prepared, Path(folder), progress)
        own = attempt.record(run_id, "")
    if not attempt.is_shared(own):
        raise HarnessError(f"process {ranks.rank} of {ranks.n}: {own.reason}")
    return Record.model_validate(ranks.from_first())


class _Stopped(Exception):
    """Carries what ``on_validation`` raised past the handlers of failures."""


@dataclass
class _Attempt:
    """One try at a run; its fields hold what is known so far, so that a failure leaves a record too."""

    prepared: _Prepared
    folder: Path
    progress: RunProgress
    told: Tracked = field(default_factory=Tracked)
    hashes: dict[str, str] = field(default_factory=dict)
    trainable_final: int | None = None
    fitted: Fitted = field(default_factory=Fitted)
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_last: dict[str, float] = field(default_factory=dict)
    answered: dict[str, AnswerCounts] = field(default_factory=dict)
    eval_tokens: int = 0
    price: Price = field(default_factory=Price)

    def __post_init__(self) -> None:
        self.run, self.splits, self.info = self.prepared.run, self.prepared.splits, self.prepared.info
        self.weights, self.ranks = self.prepared.weights, self.prepared.ranks
        self.probing = Probing(self.run, self.ranks)

    def is_shared(self, record: Record) -> bool:
        """Whether all processes have ended with this record, so that none waits for another."""
        return record.status not in RETRIED or self.ranks.has_failed_together

    def record(self, run_id: str, label: str) -> Record:
        """Adapt and evaluate, whatever comes of it."""
        started = datetime.now(UTC)
        with self.probing.during("run"):
            status, reason = self._status()
        self.probing.ended()
        measured = self.probing.measured
        write_examples({name: one.examples for name, one in measured.items()}, self.folder / MEASURED)
        for quantity, why in self.probing.reasons.items():
            self._log("not measured", quantity=quantity, reason=why)
        self._log("finished", status=status, reason=reason)
        self.told.tell(self.metrics | {name: one.value for name, one in measured.items()}, self.fitted.steps)
        return Record(
            run_id=run_id,
            status=status,
            reason=reason,
            spec=self.run.spec,
            label=label,
            started_at=started.isoformat(timespec="seconds"),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            task=declaration(self.run.task),
            primary_metric=self.run.task.metrics[0],
            metrics=self.metrics,
            metrics_last=self.metrics_last,
            answered=self.answered,
            params=self._params(),
            cost=self._cost(),
            curve=self.fitted.curve,
            measured={name: one.value for name, one in measured.items()},
            measured_intervals={name: one.interval for name, one in measured.items() if one.interval},
            measured_reasons=self.probing.reasons,
            data=self.info,
            weights=self.weights,
            environment=environment(self.run.spec.training.precision)
            | self._speed_off()
            | self._resumed()
            | self._processes(),
        )

    def _status(self) -> tuple[Status, str | None]:
        reason = self.run.skip_reason()
        if reason:
            return "skipped", reason
        try:
            self._adapt()
        except Diverged as error:
            return "diverged", str(error)
        except _Stopped as stopped:
            raise stopped.__cause__ or stopped from None
        except NoResult as error:
            return "failed", str(error)
        except Unsupported as error:
            return "skipped", str(error)
        except Exception as error:
            if isinstance(error, HarnessError | OSError) and not _is_out_of_memory(error):
                raise
            self._log("error", traceback=traceback.format_exc())
            return ("out_of_memory" if _is_out_of_memory(error) else "failed"), f"{type(error).__name__}: {error}"
        return "ok", None

    def _adapt(self) -> None:
        """Load, apply, tokenize, train, evaluate, store."""
        method, splits = self.run.method, self.splits
        self._pretrain()
        self.progress.phase("load")
        with self.probing.during("load"):
            base = load_base(self.run)
            n_steps = planned_steps(self.run.spec, len(splits.train))
            adapted = adapt(self.run, base, n_steps)
        model, formulation = adapted.model, adapted.formulation
        self.progress.phase("tokenize")
        with self.probing.during("tokenize"), torch.no_grad():
            formulation.prepare(model, splits.train)
            train = formulation.encode_training(splits.train) if method.trains else []
            held_out = self._encode(formulation, {"validation": splits.validation, "test": splits.test})
            elsewhere = self._encode(formulation, self._out_of_domain())
        self.info = self.info.model_copy(update={"truncated": formulation.n_truncated})
        if method.n_start_examples:
            with self.probing.during("load"):
                method.start(model, start_batches(self.run, formulation, train, next(model.parameters()).device))
        self.hashes["init_hash"] = hash_tensors(trainable(model)) if method.trains else ""
        adapter = self.folder / "adapter" if method.trains else None
        subject = subject_of(self.run, adapted, self.splits, adapter)
        self.probing.before(subject)
        if adapter:
            reach = Reach(model, base.head_names, adapted.added)
            self._train(adapted, train, held_out, n_steps, reach)
            with self.ranks.together():
                reach.check(self.ranks)
            if self.ranks.is_first:
                self._save(model, adapter)
        self.hashes["stored_hash"] = hash_folder(adapter) if adapter else ""
        judged = self._evaluate(model, formulation, held_out | elsewhere)
        self.progress.phase("measure")
        self.probing.after(replace(subject, answers={part.split: part.stored(self.run.task) for part in judged}))

    def _pretrain(self) -> None:
        """Let recipes pretrain the base, or find it as they did before."""
        if not any(recipe.pretraining() for recipe in self.run.recipes):
            return
        self.progress.phase("pretrain")
        with self.probing.during("pretrain"):
            self.run, self.price = start(self.run, self.splits, self.progress.step)
        pretrained = weights_of(self.run.start).fingerprint
        self.weights = self.weights.model_copy(update={"pretrained": pretrained})
        self._log("pretrained", cached=self.price.cached, seconds=self.price.seconds)

    def _encode(self, formulation: BoundFormulation, asked: dict[str, list[Example]]) -> dict[str, list[Row]]:
        """The rows of each split to be answered, checked before anything is trained."""
        rows = {split: formulation.encode(examples) for split, examples in asked.items()}
        for split, examples in asked.items():
            check_asked(self.run.task, formulation.tokenizer, split, examples, len(rows[split]))
        return rows

    def _save(self, model: nn.Module, adapter: Path) -> None:
        """The method's own files; a full disk is an OSError, whoever says so."""
        try:
            self.run.method.save(model, adapter)
        except SafetensorError as error:
            if "I/O error" not in str(error):
                raise
            raise OSError(str(error)) from None

    def _out_of_domain(self) -> dict[str, list[Example]]:
        """Test examples of the tasks this one names; where they overlap with train is recorded."""
        if not self.run.spec.task.out_of_domain:
            return {}
        found = list(out_of_domain.read(self.run.task, self.run.spec.task, self.run.spec.seed))
        self.info.out_of_domain.update({other.name: other.described(self.splits.train) for other in found})
        return {other.name: other.examples for other in found}

    def _train(
        self, adapted: Adapted, train: list[Row], held_out: dict[str, list[Row]], n_steps: int, reach: Reach
    ) -> None:
        """Fit; where an earlier checkpoint was chosen, judge the last one and put the chosen one back."""
        model, formulation = adapted.model, adapted.formulation
        torch.manual_seed(derive(self.run.spec.seed, "dropout"))
        self.ranks.seed(self.run.spec.seed)
        primary = f"validation/{self.run.task.metrics[0]}"

        def validate(current: nn.Module) -> dict[str, float]:
            # Generation and few-shot sampling must not shift dropout's random numbers.
            with torch.random.fork_rng():
                return self._metrics([self._judge(current, formulation, "validation", held_out["validation"])])

        def validated(step: int, point: dict[str, float]) -> None:
            with self.probing.during("report"):
                self.progress.validated(primary, point[primary])
                self._log("validation", **point)
                self.told.tell(point, step)
                if self.prepared.on_validation:
                    try:
                        self.prepared.on_validation(step, point)
                    except BaseException as error:
                        raise _Stopped from error

        self.progress.phase("train", n_steps)
        with self.probing.during("train"):
            recipes, judged = self.run.recipes, self._judged_texts()
            trainee = Trainee(model, self.run.method, formulation, recipes, adapted.added, judged, reach, self.ranks)
            kept = None if self.ranks.n > 1 else self.prepared.checkpoints
            self.fitted = fit(trainee, train, n_steps, validate, self.progress.step, validated, kept)
        n_told = sum(point["step"] <= self.fitted.resumed_at for point in self.fitted.curve)
        self.eval_tokens += n_told * sum(row.n_tokens for row in held_out["validation"])
        self.info = self.info.model_copy(update={"augmented": self.fitted.augmented})
        self.trainable_final = self.run.method.trainable_final(model)
        if self.fitted.best_step != self.fitted.steps:
            self.metrics_last = self._metrics(self._judge_all(model, formulation, held_out))
            restore(model, self.fitted.best)

    def _judged_texts(self) -> frozenset[str]:
        """What a recipe must not make up for training."""
        judged = (*self.splits.validation, *self.splits.test) if self.run.recipes else ()
        return frozenset(map(loose_key, judged))

    def _evaluate(
        self, model: nn.Module, formulation: BoundFormulation, held_out: dict[str, list[Row]]
    ) -> list[Judged]:
        self.progress.phase("evaluate")
        judged = self._judge_all(model, formulation, held_out)
        self.metrics = self._metrics(judged)
        self.answered = {part.split: part.counts for part in judged}
        self.metrics_last = self.metrics_last or self.metrics
        write_predictions({part.split: part.stored(self.run.task) for part in judged}, self.folder / PREDICTIONS)
        return judged

    def _judge_all(
        self, model: nn.Module, formulation: BoundFormulation, held_out: dict[str, list[Row]]
    ) -> list[Judged]:
        return [self._judge(model, formulation, split, rows) for split, rows in held_out.items()]

    def _metrics(self, judged: list[Judged]) -> dict[str, float]:
        with self.ranks.together():
            return {key: value for part in judged for key, value in part.metrics(self.run.task).items()}
        raise AssertionError  # together swallows nothing

    def _judge(self, model: nn.Module, formulation: BoundFormulation, split: str, rows: list[Row]) -> Judged:
        self.eval_tokens += sum(row.n_tokens for row in rows)
        with self.probing.during("eval"):
            answers = predict(model, formulation, rows, ranks=self.ranks)
        return Judged(split, rows, answers).relabelled(self.run.task.label_map.get(split))

    def _speed_off(self) -> dict[str, list[str]]:
        """Tricks that the run did without because they would have broken what its method or a recipe needs."""
        return {"speed_off": list(self.run.speed_off)} if self.run.speed_off else {}

    def _resumed(self) -> dict[str, int]:
        """The step at which an interrupted training went on: seconds before it are not among the run's."""
        return {"resumed_at_step": self.fitted.resumed_at} if self.fitted.resumed_at else {}

    def _processes(self) -> dict[str, int]:
        """How many trained the run, where it was not one; seconds and memory are those of the first."""
        return {"processes": self.ranks.n} if self.ranks.n > 1 else {}

    def _params(self) -> Params:
        left = {} if self.trainable_final is None else {"trainable_final": self.trainable_final}
        return Params(**self.probing.parts.get("params", {}) | left | self.hashes)

    def _cost(self) -> Cost:
        return Cost(
            **self.probing.parts.get("cost", {}),
            probe_seconds={spec.name: self.probing.seconds[spec.name] for spec in self.run.spec.probes},
            train_tokens=self.fitted.train_tokens,
            padded_tokens=self.fitted.padded_tokens,
            optimizer_bytes=self.fitted.optimizer_bytes,
            eval_tokens=self.eval_tokens,
            **{f"pretrain_{name}": value for name, value in vars(self.price).items()},
        )

    def _log(self, event: str, **values: Any) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


ALLOCATORS = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "could not create a primitive",
    "bad_alloc",
    "out of memory",
)
"""What errors say where the processor's memory ran out: of PyTorch, the system, oneDNN, the C++ library."""


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the GPU's or the processor's memory ran out, here or in what the error comes from."""
    if error is None:
        return False
    known = isinstance(error, MemoryError | torch.OutOfMemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    said = any(words in str(error).lower() for words in ALLOCATORS)
    return known or said or _is_out_of_memory(error.__cause__ or error.__context__)
