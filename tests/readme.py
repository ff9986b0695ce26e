"""The README's generated parts and its examples; ``python -m tests.readme`` writes the parts anew."""

import re
from pathlib import Path

from harness.bases.package import PACKAGE_BASES
from harness.data.tasks import find_task
from harness.method import METHODS
from harness.task import TASKS

README = Path(__file__).parents[1] / "README.md"


def methods_table() -> str:
    """A row per registered method, with what its class says."""
    rows = ["| method | what it does | source |", "|---|---|---|"]
    for name in METHODS.names():
        cls = METHODS.find(name)
        rows.append(f"| `{name}` | {(cls.__doc__ or '').strip().splitlines()[0]} | {cls.source} |")
    return "\n".join(rows)


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


GENERATED = {"methods": methods_table, "assets": assets_table}


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
