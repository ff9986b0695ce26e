"""What a suite gives one method and not another. Imports no torch."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from harness.core.spec import RunSpec
from harness.method import METHODS, make_method
from harness.recipe import passes_of
from harness.storage.record import Record
from harness.suites.equal import check_equal
from harness.suites.finding import Finding, differing
from harness.suites.suite import SuiteRun

RATE_RATIO = 10
"""Published learning rates that differ by this factor can't share one value."""
PARAMS_RATIO = 4
"""Parameter-efficient methods whose trained parameters differ by more than this factor have unequal budgets. Equal
ranks and prefix lengths still differ by up to 3, as keys and values of grouped attention are small."""
EFFICIENT_PERCENT = 5
"""A method that trains less than this share of the base is parameter-efficient, and has a budget to compare."""


def check_methods(cells: list[SuiteRun], is_searched: bool = False) -> Iterator[Finding]:
    """Findings about what the methods are given: training, data, prompts, tuning, learning rate, rank."""
    specs = {cell.label: cell.spec for cell in cells}
    asked = {cell.label: cell.asked for cell in cells}
    trained = {label: spec for label, spec in specs.items() if METHODS.find(spec.method.name).trains}
    yield from check_equal(cells, specs, trained)
    yield from _unequal_passes(trained)
    yield from _unequal_tuning(trained)
    yield from _own_rates({label: asked[label] for label in trained}, is_searched)
    yield from _one_learning_rate(trained)
    yield from _unequal_rank(trained)


def _unequal_passes(specs: dict[str, RunSpec]) -> Iterator[Finding]:
    """Recipes multiply the work of a step."""
    by_passes: defaultdict[float, set[str]] = defaultdict(set)
    for spec in specs.values():
        by_passes[passes_of(spec)].add(spec.recipe)
    if len(by_passes) > 1:
        said = "; ".join(f"{passes:g} {', '.join(sorted(names))}" for passes, names in sorted(by_passes.items()))
        yield Finding(
            "unequal_passes",
            f"a step takes unequally many passes with different recipes: {said}",
            "with more passes a step costs more, and at the same cost the others would have trained longer",
            "say so beside the result (table --costs passes,train_seconds), or give the others as many more steps",
        )


def _unequal_tuning(specs: dict[str, RunSpec]) -> Iterator[Finding]:
    settings: defaultdict[str, int] = defaultdict(int)
    for spec in specs.values():
        settings[spec.method.name] += 1
    if differences := differing(settings):
        yield Finding(
            "unequal_tuning",
            f"the number of settings tried differs between methods: {differences}",
            "the best of several settings is compared with the only one of another method",
            "try equally many settings of each method, or split the suite and compare one setting of each",
        )


def _own_rates(asked: dict[str, RunSpec], is_searched: bool) -> Iterator[Finding]:
    """A rate that the file sets for some methods, while the others have the published one or a searched one."""
    own = [label for label, spec in asked.items() if spec.training.learning_rate is not None]
    if own and len(own) < len(asked):
        others = "the others' are searched" if is_searched else "the others have their published one"
        yield Finding(
            "unequal_tuning",
            f"a learning rate is set for {', '.join(own)}, and {others}",
            "no budget is spent where a rate is held fixed" if is_searched else "a rate that somebody chose was tuned",
            "leave it out" if is_searched else "leave it out, or tune all methods with the same budget ([search])",
        )


def _one_learning_rate(specs: dict[str, RunSpec]) -> Iterator[Finding]:
    published = {label: METHODS.find(spec.method.name).learning_rate for label, spec in specs.items()}
    pairs = [
        f"{a} ({published[a]:g}) and {b} ({published[b]:g})"
        for a, b in combinations(specs, 2)
        if specs[a].training.learning_rate == specs[b].training.learning_rate
        and max(published[a], published[b]) >= RATE_RATIO * min(published[a], published[b])
    ]
    if pairs:
        yield Finding(
            "one_learning_rate",
            f"one learning rate for methods whose published ones are far apart: {', '.join(pairs)}",
            "the rate suits one of them at most: the comparison would measure the rate, not the methods",
            "leave training.learning_rate out (each method then has its published rate) or set it for each method",
        )


def _unequal_rank(specs: dict[str, RunSpec]) -> Iterator[Finding]:
    ranks: defaultdict[str, set[int]] = defaultdict(set)
    for spec in specs.values():
        if rank := make_method(spec.method).final_rank:
            ranks[spec.method.name].add(rank)
    if differences := differing({name: sorted(values) for name, values in ranks.items()}):
        yield Finding(
            "unequal_rank",
            f"ranks differ between low-rank methods: {differences}",
            "rank is the budget of a low-rank update: a larger one can fit more and costs more",
            "give the methods the same final rank, or sweep the same ranks for each",
        )


def check_params(cells: Iterable[SuiteRun], records: Iterable[Record]) -> Iterator[Finding]:
    """Findings about trained parameters, heads left out: measured in runs so far, else by formula."""
    measured = {
        (record.spec.base.name, _method_key(record.spec)): record.params for record in records if record.status == "ok"
    }
    params: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for cell in cells:
        base = cell.spec.base.name
        known = measured.get((base, _method_key(cell.spec)))
        trained = known.trainable_final - known.head if known else _expected_params(cell.spec)
        if trained and not (known and 100 * trained > EFFICIENT_PERCENT * known.total):
            params[base][cell.label] = trained
    for base, by_label in params.items():
        if max(by_label.values()) > PARAMS_RATIO * min(by_label.values()):
            yield Finding(
                "unequal_params",
                f"trained parameters on {base} differ more than {PARAMS_RATIO}-fold between parameter-efficient "
                "methods: " + "; ".join(f"{label} {n:,}" for label, n in by_label.items()),
                "a larger budget can fit more and costs more: the difference is not one of methods",
                "choose ranks, widths and prefix lengths that train about equally many parameters",
            )


def _method_key(spec: RunSpec) -> str:
    return spec.method.model_dump_json()


def _expected_params(spec: RunSpec) -> int | None:
    from harness.bases.info import base_info

    return make_method(spec.method).expected_params(base_info(spec.base.name, spec.base.quantization))
