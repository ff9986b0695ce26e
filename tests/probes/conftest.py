"""Adapted models as probes get them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import data
from harness.core.spec import RunSpec
from harness.probe import PROBES, Subject
from harness.runs.adapted import adapt, load_base
from harness.runs.examined import subject_of
from harness.runs.resolve import resolve

GENERAL = f"{Path(__file__).parent / 'general.csv'}?text=text&target=kind"


def examined(spec: RunSpec, change: Callable[[Any], None] = lambda model: None, adapter: Path | None = None) -> Subject:
    """A model that a method was applied to, and that something was done to instead of training."""
    run = resolve(spec)
    splits, _ = data.load(run.task, run.spec.task, run.spec.seed)
    adapted = adapt(run, load_base(run), 10)
    change(adapted.model)
    adapted.formulation.prepare(adapted.model, splits.train)
    return subject_of(run, adapted, splits, adapter)


def measured(subject: Subject, probe: str, **settings: Any) -> dict[str, Any]:
    """What a probe gives of it."""
    return dict(PROBES.make(probe, settings).after(subject))


@pytest.fixture(scope="session")
def masked_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that fills in masks."""
    from harness.testing.snapshots import save_snapshot

    return save_snapshot("encoder", tmp_path_factory.mktemp("masked"), has_mask_head=True)
