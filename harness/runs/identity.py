"""What a run is called: a hash of all that decides its result. Imports no torch."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.bases.weights import weights_of
from harness.core.errors import SourceError, SpecError
from harness.core.plugins import Plugin
from harness.core.spec import PluginSpec, TaskSpec, digest
from harness.data.tasks import find_task
from harness.probe import Probe
from harness.runs.resolve import Resolved
from harness.storage.record import SCHEMA
from harness.task import Task


def run_id(resolved: Resolved, data_fingerprint: str, weights_fingerprint: str) -> str:
    """12 hex digits of SHA-256 over everything that decides the result.

    Sections and fields that stand at their default are left out, and so are versions that are still 1: a new field or
    kind of plug-in orphans no stored run. A default that changes must raise the version of what it belongs to.
    """
    spec, method = resolved.spec, resolved.method
    published = ("learning_rate",) if method.trains and spec.training.learning_rate == method.learning_rate else ()
    sections = {
        "base": _changed(spec.base, "name"),
        "task": _changed(spec.task, "name"),
        "method": _changed(method),
        "training": _changed(spec.training, "precision", *published),
        "speed": _changed(spec.speed),
        "prompt": _changed(spec.prompt),
        "evaluation": _changed(spec.evaluation),
        "recipes": _chosen(spec.recipes, resolved.recipes),
        "bases": [weights_of(name).fingerprint for recipe in resolved.recipes for name in recipe.bases()],
        "tasks": [fingerprint(TaskSpec(name=name), 0) for recipe in resolved.recipes for name in recipe.tasks()],
        "probes": _chosen(spec.probes, resolved.probes),
        "files": [contents for probe in resolved.probes if (contents := _contents(probe))],
        "probed": [_whole(name) for probe in resolved.probes for name in probe.reads(resolved.base)],
        "versions": _versions(resolved),
    }
    decisive = {
        "schema": SCHEMA,
        "names": [spec.base.name, spec.task.name, spec.method.name],
        "seed": spec.seed,
        "formulation": spec.formulation,
        "precision": spec.training.precision,
        "examples": data_fingerprint,
        "weights": weights_fingerprint,
    }
    return digest(decisive | {name: section for name, section in sections.items() if section})


def _versions(resolved: Resolved) -> dict[str, int]:
    spec = resolved.spec
    sections = ("base", "training", "speed", "prompt", "evaluation")
    versions = {name: type(getattr(spec, name)).version for name in sections}
    versions |= {name: getattr(resolved, name).version for name in ("task", "method", "formulation")}
    return {name: version for name, version in versions.items() if version != 1}


def _chosen(given: Sequence[PluginSpec], plugins: Sequence[Plugin]) -> list[dict[str, Any]]:
    """Plug-ins of a kind by name, with what differs from their defaults and the versions that were raised."""
    return [
        {"name": spec.name} | _changed(plugin) | ({"version": plugin.version} if plugin.version != 1 else {})
        for spec, plugin in zip(given, plugins, strict=True)
    ]


def _contents(probe: Probe) -> list[str]:
    """SHA-256 of each file that the probe's settings name.

    Raises:
        SpecError: one can't be read.
    """
    try:
        return [sha256(Path(file).read_bytes()).hexdigest() for file in probe.files()]
    except OSError as error:
        raise SpecError(f"probe.{probe.name}: can't read {error.filename}: {error.strerror}") from None


def _whole(name: str) -> str | None:
    """Fingerprint of all examples of a task that a probe reads; None where they are out of reach, as for the probe."""
    with suppress(SourceError):
        return fingerprint(TaskSpec(name=name), 0)
    return None


def _changed(part: BaseModel, *but: str) -> dict[str, Any]:
    """The fields that differ from their defaults, as plain data, without those named."""
    default = {name: field.get_default(call_default_factory=True) for name, field in type(part).model_fields.items()}
    plain = part.model_dump(mode="json", exclude=set(but))
    return {name: value for name, value in plain.items() if getattr(part, name) != default[name]}


def fingerprint(task: TaskSpec, seed: int) -> str:
    """Fingerprint of the examples a run uses; they are loaded once in a process.

    Raises:
        SourceError: no source of the data can be reached.
        SpecError: they have one class only.
    """
    return _fingerprint(find_task(task.name), task, seed if task.is_seeded else 0)


@cache
def _fingerprint(task: Task, spec: TaskSpec, seed: int) -> str:
    from harness import data

    return data.load(task, spec, seed)[1].fingerprint


def identify(resolved: Resolved) -> str:
    """The run_id, with the data and the weights as they are here and now."""
    data_fingerprint = fingerprint(resolved.spec.task, resolved.spec.seed)
    return run_id(resolved, data_fingerprint, weights_of(resolved.spec.base.name).fingerprint)
