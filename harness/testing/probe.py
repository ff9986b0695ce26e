"""The contract of probes, as tests."""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import pytest

from harness.core.spec import ProbeSpec, RunSpec
from harness.probe import PROBES, make_probe, quantities
from harness.runs.run import run
from harness.storage.measured import MEASURED, read_examples
from harness.storage.record import Record
from harness.testing.snapshots import tiny_spec


class ProbeContract:
    """Inherited by a class that names a probe, and settings where its defaults are not to be tested.

    Example:
        ``class TestMine(ProbeContract): plugin = "mine"``
    """

    plugin: ClassVar[str]
    """Its registered name."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Values of its fields."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where base, task and results are."""
        return tmp_path_factory.mktemp("probe")

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, folder: Path) -> RunSpec:
        """What is run with and without the probe; override it for one that skips a small encoder."""
        return tiny_spec(folder)

    @pytest.fixture(scope="class")
    @classmethod
    def plain(cls, spec: RunSpec, folder: Path) -> Record:
        """The run without the probe, unless every run has it."""
        return run(spec, folder / "plain")

    @pytest.fixture(scope="class")
    @classmethod
    def probed(cls, spec: RunSpec, folder: Path) -> Record:
        """The run with the probe."""
        asked = ProbeSpec(name=cls.plugin, **cls.settings)
        return run(spec.model_copy(update={"probes": (asked,)}), folder / "probed")

    def test_it_says_what_it_is(self) -> None:
        """A docstring, a source, a description of every field."""
        cls = PROBES.find(self.plugin)
        assert (cls.__doc__ or "").strip()
        assert cls.source
        assert cls.version >= 1
        assert all(field.description for field in cls.model_fields.values())

    def test_its_quantities_are_known_everywhere(self) -> None:
        """Under a name of their own, with a description."""
        known = quantities()
        assert PROBES.find(self.plugin).quantities
        for quantity in PROBES.find(self.plugin).quantities:
            assert known[quantity.name] == quantity
            assert quantity.name.isidentifier()
            assert quantity.description

    def test_it_measures(self, probed: Record) -> None:
        """Finite values of what it declares, and at least one; the record keeps them."""
        assert probed.status == "ok", probed.reason
        declared = PROBES.find(self.plugin).quantities
        assert not {quantity.name for quantity in declared} & probed.measured_reasons.keys(), probed.measured_reasons
        stored = Record.model_validate_json(probed.model_dump_json(by_alias=True))
        values = [value for quantity in declared if (value := quantity.of(stored)) is not None]
        assert values
        assert all(map(math.isfinite, values))

    def test_a_value_is_in_its_interval_and_the_mean_of_its_examples(self, probed: Record, folder: Path) -> None:
        """Where it has either."""
        stored = folder / "probed" / "runs" / probed.run_id / MEASURED
        for name, value in probed.measured.items():
            low, high = probed.measured_intervals.get(name, (value, value))
            assert low <= value <= high
            if examples := read_examples(stored, name):
                assert value == pytest.approx(fmean(examples.values()))

    def test_it_changes_no_result(self, plain: Record, probed: Record, folder: Path) -> None:
        """Predictions, curve, metrics and what was trained are those of the run without it, to the last bit."""
        files = [folder / kind / "runs" / one.run_id for kind, one in (("plain", plain), ("probed", probed))]
        first, second = ((file / "predictions.parquet").read_bytes() for file in files)
        assert first == second
        assert plain.metrics == probed.metrics
        assert plain.params.stored_hash == probed.params.stored_hash
        curves = [[{**point, "seconds": 0} for point in one.curve] for one in (plain, probed)]
        assert curves[0] == curves[1]

    def test_a_run_that_fails_at_once_can_be_asked(self) -> None:
        """What was spent is known without a subject."""
        probe = make_probe(ProbeSpec(name=self.plugin, **self.settings))
        with probe.during("run"):
            pass
        names = {quantity.name for quantity in probe.quantities}
        assert all(name in names or "." in name for name in probe.spent())
