"""Names to methods and tasks: a file in methods/ or benchmarks/, or an entry point of another package."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from harness.errors import HarnessError, SpecError, unknown
from harness.method import Method
from harness.spec import MethodSpec, describe
from harness.task import Task, check_metrics


@cache
def _modules(group: str) -> dict[str, str]:
    """Registered name → importable module, for ``harness.methods`` or ``harness.benchmarks``."""
    package = importlib.import_module(group)
    names = {
        module.name: f"{group}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_") and not module.ispkg
    }
    for entry in entry_points(group=group):
        if entry.name in names:
            raise HarnessError(f"{entry.value} registers {entry.name!r} in {group}, which {names[entry.name]} has")
        names[entry.name] = entry.value
    return names


def method_names() -> list[str]:
    """Every registered method, sorted."""
    return sorted(_modules("harness.methods"))


def task_names() -> list[str]:
    """Every registered task, sorted."""
    return sorted(_modules("harness.benchmarks"))


def _import(group: str, what: str, name: str) -> ModuleType:
    modules = _modules(group)
    if name not in modules:
        raise unknown(what, name, modules)
    return importlib.import_module(modules[name])


def method_class(name: str) -> type[Method]:
    """The class of a method, by its file's name."""
    module = _import("harness.methods", "method", name)
    classes = [value for value in vars(module).values() if _is_method_of(value, module)]
    if len(classes) != 1:
        raise HarnessError(f"{module.__name__} must define one Method; it defines {len(classes)}")
    return classes[0]


def _is_method_of(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__


def make_method(spec: MethodSpec) -> Method:
    """The method with its hyperparameters.

    Raises:
        SpecError: an unknown method, or every field that is wrong.
    """
    cls = method_class(spec.name)
    try:
        return cls.model_validate(spec.settings)
    except ValidationError as error:
        raise SpecError("\n".join(describe(error, cls, prefix="method"))) from None


def task(name: str) -> Task:
    """A task, by its file's name in benchmarks/; or one's own, by its data's or description's file name."""
    if is_own(name):
        from harness.data.own import own_task_named

        own = own_task_named(name)
        check_metrics(own.metrics, own.kind, len(own.labels))
        return own
    module = _import("harness.benchmarks", "task", name)
    declared = getattr(module, "TASK", None)
    if not isinstance(declared, Task) or declared.name != name:
        raise HarnessError(f"{module.__name__} must define TASK = Task(name={name!r}, …)")
    check_metrics(declared.metrics, declared.kind, len(declared.labels))
    return declared


def is_own(task_name: str) -> bool:
    """Whether a task's name is that of a user's own file."""
    return "." in task_name.partition("?")[0]
