"""What every probe costs beside the run that it looks at: `python -m tests.bench.probe_cost RESULTS`.

Markdown on stdout: seconds a run by base and probe, and as a share of what the run takes without any of them.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean

from harness.storage.record import Record
from harness.storage.store import Store


def costs(records: Iterable[Record]) -> dict[str, dict[str, float]]:
    """Base → probe, and first the run itself, → mean seconds over the runs that ended well."""
    seconds: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        probes = record.cost.probe_seconds
        if record.status == "ok" and probes:
            of_base = seconds[record.spec.base.name]
            of_base["the run itself"].append(record.cost.total_seconds - sum(probes.values()))
            for probe, taken in probes.items():
                of_base[probe].append(taken)
    return {base: {name: mean(taken) for name, taken in of_base.items()} for base, of_base in seconds.items()}


def rows(found: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """A row a base and probe."""
    return [
        [base, name, f"{taken:.2f}", f"{taken / of_base['the run itself']:.0%}"]
        for base, of_base in sorted(found.items())
        for name, taken in of_base.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of runs with probes")
    store = Store(parser.parse_args().results)
    print("| base | probe | seconds a run | share of the run itself |\n| --- | --- | ---: | ---: |")
    for row in rows(costs(store.records())):
        print(f"| {' | '.join(row)} |")
