"""A program that was written for aiortc, in a process of its own, on aiortc or on `rtcore.aiortc`.

    async with program("rtcore.aiortc", "server.py", "--port", "0") as server:
        await server.line("Running on")

What it prints is kept: `line` waits for a line, and tells all of it if the program ends before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from .install import HERE
from .process import Watched

ROOT = HERE.parents[1]
PROGRAMS = ROOT / "tests" / "interop" / "programs"
RUN = HERE / "run_program.py"

STACKS = ("aiortc", "rtcore.aiortc")


class ProgramFailed(Exception):
    """It ended when it should not have; the text is what it printed last."""


class Program(Watched):
    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        super().__init__()
        self.process, self.port = process, port
        self.lines: list[str] = []
        self.ended = False
        self._reading = asyncio.create_task(self._read())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            self.changed()
        await self.process.wait()
        self.ended = True
        self.changed()

    def _failed(self, what: str) -> ProgramFailed:
        return ProgramFailed("\n".join([what, *self.lines[-60:]]))

    async def line(self, text: str, within: float = 30.0) -> str:
        """The first line with this text."""

        def found() -> str | None:
            return next((line for line in self.lines if text in line), None)

        try:
            await self.until(lambda: found() or self.ended, within)
        except TimeoutError:
            raise self._failed(f"no {text!r} within {within} s:") from None
        line = found()
        if line is None:
            raise self._failed(f"ended with {self.process.returncode}, without {text!r}:")
        return line

    async def finish(self, within: float = 30.0) -> list[str]:
        """Its lines, when it has ended by itself, and well."""
        try:
            await self.until(lambda: self.ended, within)
        except TimeoutError:
            raise self._failed(f"not at its end within {within} s:") from None
        if self.process.returncode:
            raise self._failed(f"ended with {self.process.returncode}:")
        return self.lines

    async def interrupt(self) -> list[str]:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return await self.finish()

    async def listening(self, within: float = 60.0) -> None:
        """Returns when its port can be connected to."""
        async with asyncio.timeout(within):
            while not self.ended:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)  # nothing tells of a port that somebody else opens
                else:
                    writer.close()
                    await writer.wait_closed()
                    return
        raise self._failed(f"ended with {self.process.returncode}, and never listened:")

    async def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        async with aiohttp.request("POST", self.url + path, json=content) as response:
            if response.status != 200:
                raise self._failed(f"{path}: {response.status} {await response.text()}")
            answer: dict[str, Any] = await response.json()
            return answer

    async def close(self) -> None:
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        await self._reading


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@asynccontextmanager
async def program(
    stack: str, *command: str | Path, port: int = 0, python: str | Path = sys.executable
) -> AsyncIterator[Program]:
    """Runs `command`, whose first word is a file of `tests/interop/programs` or `-m`, and ends it afterwards.
    `port` is that on which it will listen; `install.PROGRAMS_PYTHON` has the packages that run on aiortc."""
    first, *rest = command
    arguments: Sequence[str | Path] = command if first == "-m" else [PROGRAMS / first, *rest]
    process = await asyncio.create_subprocess_exec(
        python,
        *("-u", RUN, stack, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (PROGRAMS, ROOT)))},
        limit=1 << 20,
        start_new_session=True,
    )
    running = Program(process, port)
    try:
        yield running
    finally:
        await running.close()
