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
            exists=True, dir_okay=False, readable=True, help="What to send; by default a file made for it."
        ),
    ] = None,
    threaded: Annotated[bool, typer.Option(help="Run the native worker on a thread of its own.")] = False,
) -> None:
    """Sends FILE to a second process over ICE, DTLS and SCTP, verifies it, and measures the connection."""
    from rtcore.cli.demo import run

    raise typer.Exit(run(file, threaded=threaded))


@app.command(hidden=True)
def demo_peer(threaded: bool = False) -> None:
    """The demo's second process: answers an offer on standard input."""
    from rtcore.cli.demo_peer import run

    run(threaded=threaded)


def main() -> None:
    """Entry point of the `rtcore` command."""
    app()
