"""Slurm beyond the contract: the script, wall times, and a cluster where there is one."""

import shutil
import signal
import stat
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.core.spec import RunSpec
from harness.executor import Job, make_executor
from harness.executors.local import Local
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.storage.record import Record
from harness.storage.store import Store
from harness.testing.executor import ExecutorContract
from tests.conftest import MakeSpec

pytest.importorskip("submitit")
HAS_SLURM = bool(shutil.which("scontrol")) and not subprocess.run(["scontrol", "ping"], capture_output=True).returncode
on_a_cluster = pytest.mark.skipif(not HAS_SLURM, reason="needs a Slurm cluster that answers")


@on_a_cluster
@pytest.mark.slow
class TestCluster(ExecutorContract):
    plugin = "slurm"
    settings: ClassVar[dict[str, Any]] = {"workers": 2, "memory_gb": 2}
    has_processes = False  # its jobs are no children of this process


def job(spec: RunSpec, checkpoint_every: int | None = None) -> Job:
    resolved = resolve(spec)
    return Job(identify(resolved), resolved.spec, checkpoint_every=checkpoint_every)


def predictions(results: Path, job: Job) -> Any:
    return pyarrow.parquet.read_table(Store(results).folder(job.id) / "predictions.parquet").to_pydict()


def end_wall_time(results: Path, cluster: str) -> None:
    """Tell the job that its wall time ends, as Slurm does half a minute before."""
    if cluster == "slurm":
        [script] = results.glob("runs/.logs/slurm/*_submission.sh")
        subprocess.run(["scancel", "--signal=USR2", script.name.partition("_")[0]], check=True)
        return
    for process in psutil.Process().children(recursive=True):
        if "submitit.core._submit" in process.cmdline():
            process.send_signal(signal.SIGUSR2)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["local", pytest.param("slurm", marks=on_a_cluster)])
def test_a_job_at_its_wall_time_is_queued_again_and_goes_on_from_its_checkpoint(
    cluster: str, make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = job(make_spec(training={"epochs": 80}), checkpoint_every=5)
    engine = make_executor("slurm", {"cluster": cluster, "memory_gb": 2})
    ends: Counter[str] = Counter()
    with closing(engine.run([asked], tmp_path / "chain")) as running:
        assert not next(running).has_ended
        kept, began = Store(tmp_path / "chain").checkpoint(asked.id), time.monotonic()
        while not kept.exists():
            assert time.monotonic() < began + 120
            time.sleep(0.01)
        end_wall_time(tmp_path / "chain", cluster)
        for event in running:
            assert isinstance(event.result, Record)
            assert event.result.status == "ok", event.result.reason
            assert event.result.environment["resumed_at_step"] >= 5
            ends[event.job.id] += 1
    assert ends == {asked.id: 1}
    monkeypatch.setattr("harness.executors.local.available_cores", lambda: 1)  # as many threads
    list(Local(workers=1).run([asked], tmp_path / "whole"))
    assert predictions(tmp_path / "chain", asked) == predictions(tmp_path / "whole", asked)


SUITE = """tasks = ["trec"]\n[methods.zero_shot]\n"""


def dry_run(folder: Path, *settings: str) -> Any:
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    options = [each for setting in settings for each in ("--set", f"executor.slurm.{setting}")]
    arguments = ["suite", str(folder / "suite.toml"), "--executor", "slurm", "--dry-run", "--results", str(folder)]
    return CliRunner().invoke(app, [*arguments, *options])


def test_a_dry_run_prints_the_script_of_a_job(tmp_path: Path) -> None:
    settings = ("minutes=90", "cpus=4", "gpus=1", "memory_gb=12", "partition=long", "options.account=us")
    outcome = dry_run(tmp_path, *settings, 'setup=["module load cuda"]')
    assert outcome.exit_code == 0, outcome.output
    lines = set(outcome.output.replace("\n    ", "\n").splitlines())
    asked = {"time=90", "cpus-per-task=4", "gpus-per-node=1", "mem=12288MB", "partition=long", "account=us"}
    assert {f"#SBATCH --{option}" for option in (*asked, "signal=USR2@30", "job-name=harness")} <= lines
    assert "module load cuda" in lines
    assert not list(tmp_path.glob("runs/.logs/**/*.sh"))


def test_where_there_is_no_slurm_a_suite_says_so(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpecError, match=r"no Slurm here.*executor\.slurm\.cluster=local"):
        list(make_executor("slurm").run([job(make_spec())], tmp_path))


def test_nobody_else_can_put_a_pickle_where_answers_are_read(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / ".logs" / "local"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with closing(make_executor("slurm", {"cluster": "local"}).run([job(make_spec())], tmp_path)) as running:
        next(running)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setattr("os.getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(SpecError, match="belongs to another user"):
        list(make_executor("slurm", {"cluster": "local"}).run([job(make_spec())], tmp_path))


def test_results_that_cant_be_written_are_told(make_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")
    with pytest.raises(SpecError, match=r"can't write .*choose another --results"):
        list(make_executor("slurm", {"cluster": "local"}).run([job(make_spec())], tmp_path))


@on_a_cluster
def test_what_slurm_refuses_is_told(make_spec: MakeSpec, tmp_path: Path) -> None:
    engine = make_executor("slurm", {"partition": "nowhere"})
    with pytest.raises(SpecError, match="invalid partition"):
        list(engine.run([job(make_spec())], tmp_path))
