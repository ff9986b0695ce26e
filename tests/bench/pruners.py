"""What pruners cost and what few validation examples do, by simulation: `python -m tests.bench.pruners`.

Prints a table and writes it to `results/tables/pruners.md`. An optional argument divides the number of studies.

Each study searches the learning rate of a made-up method in 20 trials. True accuracy falls by 4 points for each factor
of ten between the rate and the best one, which lies anywhere between a tenth and three times the published rate; larger
rates learn faster, so that some of the best look bad early. A validation sees it on so many examples: what chance adds
is partly the trial's own, partly new at each of eight validations.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from harness.core.spec import RunSpec, digest, parse_spec
from harness.search.plan import OnValidation
from harness.search.spec import Pruner, Sampler, SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from harness.suites.power import DISAGREEMENT, luck_of_best

OUT = Path("results/tables/pruners.md")
N_STUDIES, N_TRIALS, N_VALIDATIONS = 40, 20, 8
BEST = 0.85
PUBLISHED = 5e-4
METHOD = {"name": "lora", "rank": 8, "alpha": 16, "dropout": 0.0}
CELL = parse_spec({"method": METHOD, "task": {"name": "rotten_tomatoes"}})
"""All but its rate is held fixed."""


@dataclass(frozen=True)
class Truth:
    """A method whose best rate is known, validated on so many examples."""

    best_rate: float
    n_validation: int

    def accuracy(self, spec: RunSpec) -> float:
        """Of a run, were there any number of examples."""
        return BEST - 0.04 * math.log10((spec.training.learning_rate or PUBLISHED) / self.best_rate) ** 2

    def run(self, spec: RunSpec, on_validation: OnValidation) -> Record:
        """A made-up run."""
        rng = np.random.default_rng(int(digest([spec.model_dump(mode="json"), self.best_rate]), 16) % 2**32)
        chance = math.sqrt(DISAGREEMENT / 2 / self.n_validation)
        pace = 2.5 * math.sqrt((spec.training.learning_rate or PUBLISHED) / PUBLISHED)
        own, final, curve = chance * rng.normal(), self.accuracy(spec), []
        for step in range(1, N_VALIDATIONS + 1):
            learned = (1 - math.exp(-pace * step / N_VALIDATIONS)) / (1 - math.exp(-pace))
            seen = 0.5 + (final - 0.5) * learned + own + 0.7 * chance * rng.normal()
            curve.append({"step": float(step), "validation/accuracy": seen})
            on_validation(step, {"validation/accuracy": seen})
        return Record(
            run_id=digest(spec.model_dump(mode="json")),
            status="ok",
            spec=spec,
            started_at="",
            finished_at="",
            primary_metric="accuracy",
            metrics={"validation/accuracy": max(point["validation/accuracy"] for point in curve)},
            curve=curve,
        )


def study(n_validation: int, sampler: Sampler, pruner: Pruner, seed: int) -> tuple[float, float, float, float]:
    """Points that winner and default are below the best rate, points that the winner looks too good, whole trials."""
    truth = Truth(PUBLISHED * 10 ** np.random.default_rng(seed).uniform(-1, 0.5), n_validation)
    search = SearchSpec(trials=N_TRIALS, sampler=sampler, pruner=pruner, seeds=(seed,))
    with tempfile.TemporaryDirectory() as folder:
        found = search_cell(CELL, search, Path(folder), run_trial=truth.run)
    (winner,) = found.best
    accuracy, default = (truth.accuracy(found.spec_of(number)) for number in (winner, 0))
    looks = found.trial(winner).values[0]
    return 100 * (BEST - accuracy), 100 * (BEST - default), 100 * (looks - accuracy), found.steps / N_VALIDATIONS


def rows(n_studies: int) -> Iterator[str]:
    """Lines of the table."""
    yield "| examples | sampler | pruner | winner below the best | default | looks too good | by chance | steps |"
    yield "|--:|---|---|--:|--:|--:|--:|--:|"
    samplers: tuple[Sampler, ...] = ("random", "tpe")
    pruners: tuple[Pruner, ...] = ("none", "median", "hyperband")
    for n in (64, 256, 1000):
        for sampler in samplers:
            for pruner in pruners:
                found = np.mean([study(n, sampler, pruner, seed) for seed in range(n_studies)], axis=0)
                below, default, luck, trials = found
                numbers = [f"{below:.2f}", f"{default:.2f}", f"{luck:.1f}", f"{100 * luck_of_best(N_TRIALS, n):.1f}"]
                yield f"| {' | '.join([str(n), sampler, pruner, *numbers])} | {100 * trials / N_TRIALS:.0f} % |"


def main(divisor: int) -> None:
    """Print the table and write it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    n = N_STUDIES // divisor
    about = (
        (__doc__ or "").split("\n\n")[1].replace("Prints a table and writes it to `results/tables/pruners.md`. ", "")
    )
    lines = [f"Simulated by `python -m tests.bench.pruners`, {n} studies a row, in points. {about}", ""]
    for line in rows(n):
        print(line, flush=True)
        lines.append(line)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
