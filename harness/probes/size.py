"""How much is trained, and how much of it must be kept."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from harness.probe import Probe, Quantity, Subject

if TYPE_CHECKING:
    from harness.storage.record import Record


def _trainable(run: "Record") -> int:
    """Those left where training prunes."""
    return run.params.trainable_final or run.params.trainable


class Size(Probe):
    """Logical parameters of the adapted model, and the bytes to be stored for each task."""

    source: ClassVar[str] = "Houlsby et al. 2019, https://arxiv.org/abs/1902.00751 (parameters per task)"
    is_standard: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("trainable_params", "trained parameters, those left where training prunes", read=_trainable),
        Quantity(
            "stored_bytes", "size on disk of what is kept per task", "B", read=lambda run: run.params.stored_bytes
        ),
    )

    _subject: Subject | None = PrivateAttr(default=None)

    def before(self, subject: Subject) -> None:
        """Keep it: a run that fails afterwards has a size too."""
        self._subject = subject

    def spent(self) -> dict[str, Any]:
        """The counts under the record's keys."""
        from harness.measure.parameters import measure_params

        if self._subject is None:
            return {}
        params = measure_params(self._subject.model, self._subject.head_names, self._subject.adapter)
        return {f"params.{name}": value for name, value in params.items()}
