"""Runs that are killed and go on, against undisturbed ones: `python -m tests.bench.resume [METHOD …]`.

Of every method that trains a run of twelve steps on a tiny random base is killed (SIGKILL, in a process of its own)
at ten random moments, each in another step, and begun again each time by a new process from the state that the one
before left. Then it is compared with the same run undisturbed: predictions, what was stored, and the curve.
"""

import argparse
import os
import random
import signal
import tempfile
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from harness.core.spec import RunSpec, parse_spec
from harness.method import METHODS, BaseKind
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.record import Record
from harness.storage.store import Store
from harness.testing.snapshots import save_data, save_snapshot
from tests.representatives import SMALLER

STEPS, KILLS = 12, 10
KINDS: tuple[BaseKind, ...] = ("encoder", "decoder")


def spec_of(method: str, folder: Path) -> RunSpec | None:
    """A run on the first kind of tiny base that can do it."""
    for kind in KINDS:
        spec = parse_spec(
            {
                "method": {"name": method, **SMALLER.get(method, {})},
                "base": {"name": str(folder / kind)},
                "task": {"name": f"{folder / 'data' / 'train.parquet'}?text=sentence&target=label"},
                "training": {"epochs": STEPS, "batch_size": 16, "eval_every": 1, "max_steps": STEPS},
            }
        )
        if not resolve(spec).skip_reason():
            return spec
    return None


def killed(spec: RunSpec, results: Path, step: int) -> None:
    """Make the run in a child process that is killed at a validation."""

    def die(at: int, _metrics: dict[str, float]) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)

    code = _in_child(lambda: run(spec, results, on_validation=die, checkpoint_every=1))
    assert code == -signal.SIGKILL, code


def _in_child(work: Callable[[], object]) -> int | None:
    child = get_context("fork").Process(target=work)
    child.start()
    child.join()
    return child.exitcode


def unlike(one: Record, one_results: Path, other: Record, other_results: Path) -> list[str]:
    """What differs between two runs of the same spec."""
    names = ("predictions.parquet",)
    folders = [results / "runs" / each.run_id for each, results in ((one, one_results), (other, other_results))]
    found = [name for name in names if len({(folder / name).read_bytes() for folder in folders}) > 1]
    found += ["what was stored"] if one.params.stored_hash != other.params.stored_hash else []
    curves = [[{**point, "seconds": 0} for point in each.curve] for each in (one, other)]
    return found + (["curve"] if curves[0] != curves[1] else [])


def tried(method: str, folder: Path) -> str:
    """What came of a method, in words."""
    spec = spec_of(method, folder)
    if spec is None:
        return "skipped: no tiny base that it can be trained on"
    one, other = folder / method / "undisturbed", folder / method / "killed"
    _in_child(lambda: run(spec, one))
    for step in sorted(random.Random(method).sample(range(2, STEPS + 1), KILLS)):
        killed(spec, other, step)
    _in_child(lambda: run(spec, other))
    first, second = next(Store(one).records(), None), next(Store(other).records(), None)
    if not first or not second or first.status != "ok":
        return f"no result: {first and first.reason}"
    differs = unlike(first, one, second, other)
    return f"differs: {', '.join(differs)}" if differs else "equal"


def main(methods: list[str]) -> int:
    """Every method, a line each; 1 if one differs."""
    warnings.simplefilter("ignore")
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_data(folder / "data")
        for kind in KINDS:
            save_snapshot(kind, folder / kind)
        for method in methods or [name for name in METHODS.names() if METHODS.find(name).trains]:
            outcomes.append(tried(method, folder))
            print(f"{method:18} {KILLS} kills: {outcomes[-1]}", flush=True)
    print(f"{len(outcomes)} methods, {KILLS * outcomes.count('equal')} kills: {outcomes.count('equal')} equal")
    return int(any(outcome.startswith(("differs", "no result")) for outcome in outcomes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("methods", nargs="*", help="names; default: every one that trains")
    raise SystemExit(main(parser.parse_args().methods))
