"""``harness plot``: a command for each figure, with an option for each of its fields."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import say
from harness.cli.fields import command_of, keyword, option
from harness.cli.options import RESULTS, Results, path
from harness.cli.usage import Commands, one_of
from harness.core.errors import unknown

if TYPE_CHECKING:
    from harness.figure import Figure


class FigureCommands(Commands):
    """The registered figures as commands, made when they are asked for: the program's own help needs none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the figures, as they are typed."""
        from harness.figure import FIGURES

        return [name.replace("_", "-") for name in FIGURES.names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a figure.

        Raises:
            SpecError: there is no such figure.
        """
        from harness.figure import FIGURES

        name = cmd_name.replace("-", "_")
        if name not in FIGURES.names():
            raise unknown("command", cmd_name, self.list_commands(ctx))
        return figure_command(FIGURES.find(name))


plot = typer.Typer(cls=FigureCommands, help="Draw figures of the finished runs.", no_args_is_help=True)


def figure_command(figure: "type[Figure]") -> Any:
    """The command that draws a figure into a file, or into a folder where it is many."""
    from harness.figure import FIGURES
    from harness.figures._files import FileFormat, write_figure

    def draw(results: Path, out: Path, format: FileFormat = "png", **settings: Any) -> None:
        given = {name: value for name, value in settings.items() if value is not None}
        for written in write_figure(FIGURES.make(figure.name, given, prefix=figure.name), results, out, format):
            say(written)

    command = figure.name.replace("_", "-")
    files = "Folder of the figures." if figure.is_many else "File to write: .png, .pdf or .svg."
    parameters = [
        *(option(name, info, is_argument=name in figure.arguments) for name, info in figure.model_fields.items()),
        keyword("results", Results, RESULTS),
        keyword(
            "out",
            Annotated[Path, typer.Option(help=files, parser=path)],
            Path("." if figure.is_many else f"{command}.png"),
        ),
    ]
    if figure.is_many:
        kinds = Annotated[FileFormat, typer.Option(help="Of the files.", **one_of("--format", FileFormat))]
        parameters.append(keyword("format", kinds, "png"))
    draw.__doc__ = figure.__doc__
    return command_of(command, draw, parameters)
