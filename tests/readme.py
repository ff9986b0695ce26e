"""The README's generated parts and its examples; ``python -m tests.readme`` writes the parts anew."""

import re
from pathlib import Path
from typing import get_args

from typer.testing import CliRunner

from harness.bases.info import base_info
from harness.bases.package import PACKAGE_BASES
from harness.cli.app import app
from harness.data.tasks import find_task
from harness.method import METHODS, Family
from harness.methods import LEFT_OUT
from harness.task import TASKS

README = Path(__file__).parents[1] / "README.md"


def methods_table() -> str:
    """A row per registered method by family, with its parameters on minilm by formula; what is left out."""
    rows = ["| family | method | on minilm | what it does | source |", "|---|---|---:|---|---|"]
    info, families = base_info("minilm", "none"), get_args(Family)
    for name in sorted(METHODS.names(), key=lambda name: (families.index(METHODS.find(name).family), name)):
        cls = METHODS.find(name)
        count = cls().expected_params(info) if cls.trains else 0
        shown = "" if count is None else f"{count:,}"
        does = (cls.__doc__ or "").strip().splitlines()[0]
        rows.append(f"| {cls.family} | `{name}` | {shown} | {does} | {cls.source} |")
    left_out = "; ".join(f"{name}: {reason}" for name, reason in LEFT_OUT.items())
    return "\n".join([*rows, "", f"Of peft's types these are left out. {left_out}."])


def evidence_table() -> str:
    """What ``table`` prints of the committed runs of the published comparison."""
    options = [
        "--rows",
        "method,tuning",
        "--columns",
        "task",
        "--sort",
        "mean",
        "--average",
        "--costs",
        "trainable_params,train_seconds",
        "--costs-per",
        "row",
    ]
    done = CliRunner().invoke(app, ["table", "--results", str(README.parent / "results" / "encoder"), *options])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def assets_table() -> str:
    """A row per base or task that a package asset holds."""
    rows = ["| name | distribution | what it is |", "|---|---|---|"]
    for name, base in PACKAGE_BASES.items():
        rows.append(f"| base `{name}` | {base.distribution} {base.version} | {base.summary} |")
    for name in TASKS.names():
        declared = find_task(name)
        if declared.asset:
            distribution = f"{declared.asset.distribution} {declared.asset.version}"
            rows.append(f"| `{name}` | {distribution} | {declared.kind.replace('_', ' ')}, {declared.source} |")
    return "\n".join(rows)


GENERATED = {"evidence": evidence_table, "methods": methods_table, "assets": assets_table}


def part(name: str) -> str:
    """What the README has between ``<!-- name -->`` and ``<!-- end -->``."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", README.read_text(), re.DOTALL)
    assert found, f"README.md has no part {name!r}"
    return found[1]


def commands() -> list[str]:
    """The lines of the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def example(file: str) -> str:
    """The README's example of a file, which begins with its name as a comment."""
    found = re.search(rf"```python\n# {re.escape(file)}\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, f"README.md has no example {file!r}"
    return found[1]


def main() -> None:
    """Write the generated parts."""
    text = README.read_text()
    for name, generate in GENERATED.items():
        text = text.replace(
            f"<!-- {name} -->\n{part(name)}\n<!-- end -->", f"<!-- {name} -->\n{generate()}\n<!-- end -->"
        )
    README.write_text(text)


if __name__ == "__main__":
    main()
