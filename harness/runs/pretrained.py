"""A base pretrained on a task's texts before the method begins, kept in the cache folder like a base."""

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from harness import data
from harness.bases.info import SNAPSHOT_FILES, snapshot
from harness.bases.load import Base, Wanted, load
from harness.bases.quiet import quiet
from harness.bases.weights import weights_of
from harness.core.errors import SpecError, StorageError
from harness.core.seeds import derive
from harness.core.spec import BaseSpec, RunSpec, TaskSpec, TrainingSpec, digest
from harness.data.leakage import loose_key
from harness.data.tasks import find_task
from harness.fetching.assets import cache_folder
from harness.formulations._pretraining import BoundTexts
from harness.method import Context, Method
from harness.recipe import Pretraining
from harness.runs.resolve import Resolved
from harness.storage.checkpoint import read_tensors
from harness.storage.files import sync, sync_tree, write_json
from harness.task import Example, Splits, Task
from harness.training.batches import planned_steps
from harness.training.fit import Diverged, fit
from harness.training.hooks import Trainee

VERSION = 1
"""Raised when the same settings begin to give another base."""
PRICE = "pretraining.price"
"""What it took, beside the weights; not one of the files that a base is hashed by."""
ROWS = 32
"""Texts of a pass at most; a step of more accumulates."""
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Price:
    """What a base's pretraining took when it was done, and whether that was before this run."""

    seconds: float = 0.0
    passes: float = 0.0
    tokens: int = 0
    cached: bool | None = None

    def __add__(self, other: "Price") -> "Price":
        return Price(
            self.seconds + other.seconds,
            self.passes + other.passes,
            self.tokens + other.tokens,
            other.cached if self.cached is None else self.cached and bool(other.cached),
        )


def start(run: Resolved, splits: Splits, on_step: OnStep = lambda step, tokens, loss: None) -> tuple[Resolved, Price]:
    """The run with its base as its recipes pretrain it, from the cache folder where it is there, and the price.

    Decided by the weights of the base, the texts, the settings and the run's seed, compute type, dropout and
    ``max_length``: every method of a comparison starts from the same weights.

    Raises:
        Diverged: the loss is not finite or has exploded.
        SourceError: the texts or the base can't be read.
        StorageError: the cache folder can't be written.
    """
    price = Price()
    for recipe in run.recipes:
        if asked := recipe.pretraining():
            folder, one = _pretrained(run, asked, splits, on_step)
            run, price = replace(run, start=str(folder)), price + one
    return run, price


def _pretrained(run: Resolved, asked: Pretraining, splits: Splits, on_step: OnStep) -> tuple[Path, Price]:
    task, texts = _texts(run, asked, splits)
    key = _key(run, asked, task, texts)
    folder = cache_folder() / "pretrained" / digest(key, 24)
    try:
        with _only_process(folder):
            is_cached = folder.is_dir()
            if not is_cached:
                with _in_one_go(folder) as unfinished:
                    write_json(unfinished / PRICE, asdict(_pretrain(run, asked, task, texts, unfinished, on_step)))
            return folder, replace(Price(**json.loads((folder / PRICE).read_text())), cached=is_cached)
    except OSError as error:
        raise StorageError(f"can't keep the pretrained base in {folder.parent}: {error}; free some room") from None
    except Diverged as error:
        raise Diverged(f"in pretraining {error}") from None


def _texts(run: Resolved, asked: Pretraining, splits: Splits) -> tuple[Task, list[Example]]:
    """Training examples whose texts are read; of another task none that this one is judged on."""
    if not asked.texts_of:
        return run.task, splits.train
    task = find_task(asked.texts_of)
    judged = {loose_key(example) for example in (*splits.validation, *splits.test)}
    found = data.load(task, TaskSpec(name=asked.texts_of), run.spec.seed)[0].train
    return task, [example for example in found if loose_key(example) not in judged]


def _key(run: Resolved, asked: Pretraining, task: Task, texts: Sequence[Example]) -> dict[str, Any]:
    """All that decides the weights, but for the machine and its libraries, as for those of a run."""
    base = run.starting_base
    return {
        "version": VERSION,
        "weights": weights_of(base.name).fingerprint,
        "base": {"dropout": base.dropout, "max_length": base.max_length},
        "texts": digest([[example.fields[column] for column in task.text] for example in texts], 64),
        "settings": asdict(replace(asked, texts_of="")),
        "precision": run.spec.training.precision,
        "seed": run.spec.seed,
    }


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Others that want the same base wait until it is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        yield


@contextmanager
def _in_one_go(folder: Path) -> Iterator[Path]:
    """A new folder that gets its name when it is whole and on the disk; what an interrupted process left is removed."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield unfinished
        sync_tree(unfinished)
        unfinished.replace(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _pretrain(
    run: Resolved, asked: Pretraining, task: Task, texts: Sequence[Example], folder: Path, on_step: OnStep
) -> Price:
    """Train every weight, write the base to the folder."""
    spec = _spec(run, asked, len(texts))
    n_steps = planned_steps(spec, len(texts))
    spec = spec.updated(training={"eval_every": n_steps})
    base = load(spec.base, Wanted(_auto_class(run), dropout=spec.base.dropout))
    formulation = BoundTexts(task, base, spec, mask_rate=asked.mask_rate)
    model = base.model.requires_grad_(True)
    rows = [row for row in formulation.encode(texts) if row.length > 1]
    if not rows:
        raise SpecError(f"{task.name} has no text to pretrain on that is not among those to be judged on")
    with torch.enable_grad(), torch.random.fork_rng():  # also where a run is loaded to be asked
        torch.manual_seed(derive(spec.seed, "dropout"))
        trainee = Trainee(model, _EveryWeight(), formulation)
        fitted = fit(trainee, rows, n_steps, lambda _model: {f"validation/{task.metrics[0]}": 0.0}, on_step)
    _write(base, run.starting_base.name, folder)
    passes = n_steps * spec.training.batch_size * spec.training.accumulation_steps / len(rows)
    is_whole = asked.max_steps is None
    return Price(fitted.train_seconds, float(asked.epochs) if is_whole else passes, fitted.train_tokens)


def _auto_class(run: Resolved) -> str:
    if run.base.kind == "decoder":
        return "AutoModelForCausalLM"
    return "AutoModelForMaskedLM" if run.base.has_mask_head else "AutoModel"


def _spec(run: Resolved, asked: Pretraining, n_texts: int) -> RunSpec:
    """A run of it: full precision of the weights, the run's compute type, a seed of its own."""
    accumulation = math.ceil(min(asked.batch_size, n_texts) / ROWS)
    training = TrainingSpec(
        epochs=asked.epochs,
        max_steps=asked.max_steps,
        batch_size=math.ceil(min(asked.batch_size, n_texts) / accumulation),
        accumulation_steps=accumulation,
        learning_rate=asked.learning_rate,
        precision=run.spec.training.precision,
    )
    base = run.starting_base
    plain = BaseSpec(name=base.name, max_length=base.max_length, dropout=base.dropout)
    seed = derive(run.spec.seed, "pretraining")
    return run.spec.model_copy(update={"base": plain, "training": training, "recipes": (), "seed": seed})


class _EveryWeight(Method):
    """Train all of the base."""

    source: ClassVar[str] = "none"
    learning_rate: ClassVar[float] = 1e-4

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """The model as it is."""
        return model


def _write(base: Base, name: str, folder: Path) -> None:
    """The base's own files with the new weights."""
    before, model = snapshot(name), base.model
    for pattern in SNAPSHOT_FILES:
        for file in before.glob(pattern):
            if ".safetensors" not in file.name:
                shutil.copyfile(file, folder / file.name)
    saved: Any = model
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary, quiet():
        saved.save_pretrained(temporary, max_shard_size="1TB")
        trained = read_tensors(Path(temporary) / "model.safetensors")
    tensors = {key: tensor for key, tensor in trained.items() if not _is_of_pooler(key)}
    tensors |= _poolers(before, saved.base_model_prefix, tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _is_of_pooler(key: str) -> bool:
    return "pooler" in key.split(".")


def _poolers(before: Path, prefix: str, beside: dict[str, Tensor]) -> dict[str, Tensor]:
    """The checkpoint's poolers, which texts don't train: a model for masks has none, another draws those missing."""
    found = {}
    is_prefixed = any(key.startswith(f"{prefix}.") for key in beside)
    for path in before.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for key in filter(_is_of_pooler, file.keys()):
                bare = key.removeprefix(f"{prefix}.")
                found[f"{prefix}.{bare}" if is_prefixed else bare] = file.get_tensor(key)
    return found
