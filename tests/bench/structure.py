"""The shape of the code: ``python -m tests.bench.structure [ROOT]`` prints sizes, parameters, cycles, private names."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LIBRARIES = {
    "optuna",
    "sacrebleu",
    "transformers",
    "peft",
    "torch",
    "datasets",
    "evaluate",
    "accelerate",
    "bitsandbytes",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path) -> list[Path]:
    """The shipped modules."""
    return sorted(path for folder in ("harness", "methods", "benchmarks") for path in (root / folder).rglob("*.py"))


def functions(root: Path) -> Iterator[tuple[str, Function]]:
    """Every function with its place."""
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield f"{path.relative_to(root)}:{node.lineno} {node.name}", node


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of every import, those inside functions too; not those for type checking alone."""
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """The module or folder directly below harness/."""
    return name.split(".")[1]


def parts_in_cycles(root: Path) -> list[list[str]]:
    """Groups of parts of harness/ that import each other, directly or through others."""
    arrows: defaultdict[str, set[str]] = defaultdict(set)
    for path in (root / "harness").rglob("*.py"):
        own = ".".join(path.relative_to(root).with_suffix("").parts)
        if own.count(".") and not own.endswith("__"):
            found = {part(name) for name in imports(ast.parse(path.read_text())) if name.startswith("harness.")}
            arrows[part(own)] |= found - {part(own), "methods", "benchmarks"}
    reached = {start: _reach(arrows, start) for start in list(arrows)}
    groups = {tuple(sorted({a, *(b for b in reached[a] if a in reached.get(b, ()))})) for a in reached}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reach(arrows: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for name in arrows.get(todo.pop(), set()) - seen:
            seen.add(name)
            todo.append(name)
    return seen


def private_names(root: Path) -> list[str]:
    """Uses of names that another library keeps to itself: ``module._name`` imports, and attributes of their objects."""
    found = []
    for path in sources(root):
        tree = ast.parse(path.read_text())
        own = {node.name for node in ast.walk(tree) if isinstance(node, Function)}
        own |= set(re.findall(r"(?:self|cls|other|run)\.(_[a-z]\w*)", path.read_text()))
        brought = {name.split(".")[0] for name in imports(tree)} & LIBRARIES
        for name in imports(tree):
            if name.split(".")[0] in LIBRARIES and any(
                p.startswith("_") and not p.startswith("__") for p in name.split(".")
            ):
                found.append(f"{path.relative_to(root)} {name}")
        for node in ast.walk(tree):
            is_private = isinstance(node, ast.Attribute) and re.fullmatch(r"_[a-z]\w*", node.attr)
            if brought and is_private and node.attr not in own:
                found.append(f"{path.relative_to(root)}:{node.lineno} .{node.attr}")
    return found


def main(root: Path) -> None:
    """Print the figures."""
    top = [path.stem for path in (root / "harness").glob("*.py") if not path.stem.startswith("__")]
    print(f"modules at the top of harness/: {len(top)} ({', '.join(sorted(top))})")
    lines = {path: path.read_text().count("\n") for path in sources(root)}
    longest = max(lines, key=lambda path: lines[path])
    where = longest.relative_to(root)
    print(f"lines: {sum(lines.values()):,} in {len(lines)} files; longest {where} with {lines[longest]}")
    lengths = {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in functions(root)}
    top_one = max(lengths, key=lambda place: lengths[place])
    middle, most = np.percentile(list(lengths.values()), [50, 90])
    print(
        f"functions: {len(lengths):,}; lines: median {middle:.0f}, p90 {most:.0f}, most {lengths[top_one]} ({top_one})"
    )
    wide = {place: len(node.args.args) + len(node.args.kwonlyargs) for place, node in functions(root)}
    wide = {place: n for place, n in wide.items() if n > 7}
    print(
        f"functions with more than 7 parameters: {len(wide)} ({', '.join(f'{place} {n}' for place, n in wide.items())})"
    )
    print("parts of harness/ that import each other:", *(f"\n  {', '.join(group)}" for group in parts_in_cycles(root)))
    names = private_names(root)
    print(f"private names of other libraries: {len(names)}", *(f"\n  {name}" for name in names))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2])
