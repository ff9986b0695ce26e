"""What is told of a wrong command line: one sentence with what is allowed and the nearest name."""

import sys
from typing import Any, get_args

import typer
from typer.core import TyperGroup

from harness.cli.console import one_line
from harness.core.errors import nearest, unknown
from harness.core.launch import check_launch

click_errors: Any = sys.modules[typer.BadParameter.__module__]
"""The exceptions of the click that typer uses: click's own, or those of the copy inside newer ones."""


class Commands(TyperGroup):
    """A group of commands that tells which there are."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command.

        Raises:
            SpecError: there is no such command.
        """
        command = super().get_command(ctx, cmd_name)
        if command is None:
            raise unknown("command", cmd_name, self.commands)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called.

        Raises:
            SpecError: it can't be done by the processes of a launcher.
        """
        found = super().resolve_command(ctx, args)
        check_launch(str(found[0]))
        return found


def one_of(name: str, literal: Any) -> dict[str, Any]:
    """Settings of a typer option or argument that takes one of the literal's texts."""
    allowed = get_args(literal)

    def parse(text: str) -> str:
        if text not in allowed:
            raise unknown(name, text, allowed)
        return text

    return {"parser": parse}


def usage_message(error: Any) -> str:
    """The sentence for one of click's usage errors; its help text where a command was called without anything."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    message = one_line(_what_is_wrong(error)).rstrip(".")
    command = f"{error.ctx.command_path} " if error.ctx else ""
    return f"{message[0].lower()}{message[1:]}; see `{command}--help`"


def _what_is_wrong(error: Any) -> str:
    message: str = error.format_message()
    if isinstance(error, click_errors.NoSuchOption):
        name, options = error.option_name, ["--help", *_options(error.ctx.command)]
        return f"no such option: {name}{nearest(name, options)}; allowed: {', '.join(sorted(options))}"
    if isinstance(error, click_errors.MissingParameter) and getattr(error.param, "help", None):
        return f"{message.rstrip('.')} ({error.param.help.rstrip('.')})"
    if isinstance(error, click_errors.BadParameter):
        return message.rstrip(".") + _value_got(error.__cause__)
    return message


def _options(command: Any) -> list[str]:
    return [name for parameter in command.params for name in parameter.opts if name.startswith("--")]


def _value_got(cause: BaseException | None) -> str:
    """The wrong value, where the message is that of pydantic, which doesn't name it."""
    errors = getattr(cause, "errors", None)
    return f"; got {errors()[0]['input']!r}" if errors else ""
