"""``harness data``: what is to be known of a task's examples."""

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, say, say_table
from harness.cli.options import RESULTS, Results

if TYPE_CHECKING:
    from harness.cells.quality import Judged
    from harness.task import Task


def data(
    task: Annotated[str, typer.Argument(help="Task, see `list tasks`, or one's own file.")],
    examples: Annotated[int, typer.Option(help="Hard and doubtful examples that are shown.", min=0)] = 10,
    results: Results = RESULTS,
) -> None:
    """Look at a task's examples: balance, lengths, leakage; and with stored runs, doubtful labels and hard examples."""
    from harness import data as source
    from harness.cells.quality import facts, judge_examples
    from harness.core.spec import TaskSpec
    from harness.data.tasks import find_task
    from harness.storage.predictions import reader
    from harness.storage.store import Store

    asked = find_task(task)
    splits, info = source.load(asked, TaskSpec(name=task), 0)
    for sentence in info.notes():
        note(f"{task}: {sentence}")
    found = facts(asked, splits)
    rows = [
        [
            name,
            f"{one.size:,}",
            ", ".join(f"{label} {100 * share:.1f} %" for label, share in one.shares.items()),
            f"{one.words_median:.0f} ({one.words_p95:.0f})",
            "" if name == "train" else str(one.in_train),
            str(one.contradictions),
        ]
        for name, one in found.items()
    ]
    heads = ["split", "examples", "labels", "words at the median (95 %)", "texts also in train", "contradicting"]
    say_table(heads, rows, title=f"{task} ({info.source}, {info.protocol})")
    if asked.kind != "classification":
        return
    store = Store(results)
    judged, n_other = judge_examples(asked, splits, store.records(), reader(store, {"scores"}))
    if n_other:
        note(f"{n_other} runs are left out: they answered other examples")
    if judged:
        _print_judged(asked, judged, examples)
    else:
        say("no stored run answered these examples, so hard and doubtful ones are not known")


def _print_judged(task: "Task", judged: "list[Judged]", limit: int) -> None:
    hard = [one for one in judged if one.missed == 1]
    n_methods = max(one.n_methods for one in judged)
    say(f"\n{len(hard)} of {len(judged)} held-out examples are missed by all {n_methods} methods that answered them")
    doubtful = sorted((one for one in judged if one.likelier is not None), key=lambda one: -one.suspicion)
    say(f"{len(doubtful)} have a label that the methods' mean probabilities speak against")
    rows = [
        [
            one.example.id,
            task.labels[int(str(one.example.target))],
            task.labels[one.likelier or 0],
            f"{one.suspicion:+.2f}",
            f"{100 * one.missed:.0f} %",
            " | ".join(one.example.fields[column] for column in task.text)[:100],
        ]
        for one in doubtful[:limit]
    ]
    if rows:
        say_table(["example", "label", "likelier", "by", "methods that miss it", "text"], rows)
