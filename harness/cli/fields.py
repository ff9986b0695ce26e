"""The fields of a model as options of a command."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

import typer

from harness.cli.options import path
from harness.cli.usage import one_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def command_of(name: str, function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> Any:
    """A command that calls the function with parameters that its signature doesn't name one by one."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(function)
    return typer.main.get_command(single)


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter that is given by its name."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def option(name: str, info: "FieldInfo", is_argument: bool = False) -> inspect.Parameter:
    """A field as typer wants to be told of an option, or of an argument; None where it is not given.

    A field is a text, a number, a truth value, a path or a ``Literal``; a tuple of one of them, or a mapping from text
    to text, is an option that may be repeated.
    """
    flag, kind = f"--{name.replace('_', '-')}", cast(Any, info.annotation)
    literal = next((part for part in (kind, *get_args(kind)) if get_origin(part) is Literal), None)
    default = inspect.Parameter.empty if info.is_required() else info.get_default(call_default_factory=True)
    settings: dict[str, Any] = {"help": f"{info.description}{_shown(default)}", "show_default": False}
    if literal:
        settings |= one_of(flag, literal)
    elif Path in (kind, *get_args(kind)):
        settings["parser"] = path
    if get_origin(kind) is tuple:
        kind = list[str if literal else get_args(kind)[0]]  # type: ignore[misc]
    elif get_origin(kind) is dict:
        kind = list[str]
    names = [flag] if kind is bool and default is False else []
    given = typer.Argument(**settings) if is_argument else typer.Option(*names, **settings)
    is_required = default is inspect.Parameter.empty
    return keyword(
        name,
        Annotated[kind if is_required else kind | None, given],
        inspect.Parameter.empty if is_required else None,
    )


def _shown(default: Any) -> str:
    """What the help says of a default; nothing of one that says nothing."""
    if default is inspect.Parameter.empty or default is None or default is False or default in ((), {}, ""):
        return ""
    return f"  [default: {', '.join(map(str, default)) if isinstance(default, tuple) else default}]"
