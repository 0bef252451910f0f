"""The command line: `rtcore demo` and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="rtcore",
    help="WebRTC on a native core: try it out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _main() -> None:
    """WebRTC on a native core: try it out."""


@app.command()
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="What to send: its bytes, and it is played if it has pictures or sound.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for recording and plot.")] = Path("rtcore-demo"),
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="How much of the media is played.")
    ] = 8.0,
    threaded: Annotated[bool, typer.Option(help="Run the native worker on a thread of its own.")] = False,
) -> None:
    """Plays a media file to a second process, which records it, sends FILE through a data channel, verifies
    both, and measures the connection."""
    from rtcore.cli.demo import run

    raise typer.Exit(run(file, output=output, seconds=seconds, threaded=threaded))


@app.command(hidden=True)
def demo_peer(threaded: bool = False) -> None:
    """The demo's second process: answers an offer on standard input."""
    from rtcore.cli.demo_peer import run

    run(threaded=threaded)


def main() -> None:
    """Entry point of the `rtcore` command."""
    app()
