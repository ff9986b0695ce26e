"""Plug-ins: a file in the folder of their kind, or an entry point of another package."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.core.errors import HarnessError, SpecError, unknown
from harness.core.info import BaseInfo, TaskInfo
from harness.core.spec import describe


class Plugin(BaseModel):
    """What all kinds have in common: a frozen model whose fields are its settings, with their published defaults."""

    # A default counts as given: 8 is 8.0 where a float is wanted, or equal settings would make two runs.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)

    name: ClassVar[str] = ""
    """The file's or the entry point's name, set by the registry."""
    source: ClassVar[str]
    """The paper with its address, or the tool it must agree with."""
    version: ClassVar[int] = 1
    """Raised when the same settings begin to mean something else, or a default changes; part of run_id."""

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Why a cell with this plug-in can't run, in one sentence, or None."""
        return None


P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class Registry(Generic[P]):
    """The plug-ins of one kind, imported on first use.

    A module of the folder, or the value of an entry point, holds one plug-in: a class derived from the contract, or a
    declared instance of it. Modules whose names begin with an underscore are helpers.

    Args:
        what: The kind as messages name it.
        group: The package of the built-in ones, and the entry-point group of all others.
        contract: What a plug-in derives from or is.
    """

    what: str
    group: str
    contract: type[P]

    @cached_property
    def _places(self) -> dict[str, str]:
        """Name → ``module`` or ``module:attribute``."""
        package = importlib.import_module(self.group)
        places = {
            module.name: f"{self.group}.{module.name}"
            for module in pkgutil.iter_modules(package.__path__)
            if not module.name.startswith("_") and not module.ispkg
        }
        for entry in entry_points(group=self.group):
            if entry.name in places:
                raise HarnessError(
                    f"{entry.value} registers {entry.name!r} in {self.group}, which {places[entry.name]} has"
                )
            places[entry.name] = entry.value
        return places

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        return sorted(self._places)

    def find(self, name: str) -> Any:
        """The plug-in's class, or the instance that its module declares.

        Raises:
            SpecError: an unknown name.
            HarnessError: its module can't be imported, or does not hold exactly one plug-in.
        """
        if name not in self._places:
            raise unknown(self.what, name, self._places)
        module_name, _, attribute = self._places[name].partition(":")
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            raise HarnessError(
                f"{self.what} {name!r} can't be imported from {module_name}: {type(error).__name__}: {error}"
            ) from error
        found = (
            [getattr(module, attribute)] if attribute else [v for v in vars(module).values() if self._is_of(v, module)]
        )
        if len(found) != 1:
            contract = self.contract.__name__
            raise HarnessError(f"{module_name} must define one {contract}; it defines {len(found)}")
        plugin = found[0]
        if isinstance(plugin, type) and issubclass(plugin, Plugin):
            plugin.name = name
        return plugin

    def _is_of(self, value: Any, module: ModuleType) -> bool:
        if isinstance(value, type):
            return issubclass(value, self.contract) and value.__module__ == module.__name__
        return isinstance(value, self.contract)

    def make(self, name: str, settings: Mapping[str, Any] | None = None, prefix: str = "") -> P:
        """The plug-in with its settings.

        Args:
            name: A registered name.
            settings: Values of its fields; the others stand at their defaults.
            prefix: What messages put before a field's name; default: the kind.

        Raises:
            SpecError: an unknown name, or every setting that is wrong.
        """
        cls = self.find(name)
        try:
            made: P = cls.model_validate(dict(settings or {}))
        except ValidationError as error:
            raise SpecError("\n".join(describe(error, cls, prefix=prefix or self.what))) from None
        return made
