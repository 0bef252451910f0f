"""`rtcore demo`: one file, two processes, one connection, measured.

Starts the second process, connects to it over real UDP with the signaling on its standard input and output,
sends the file and compares SHA-256, plays ping-pong, sends small messages, and prints one table.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

import rtcore
from rtcore.signaling import StreamSignaling
from rtcore.signaling.stream import MAX_LINE

ADDRESS = "127.0.0.1"
MADE_SIZE = 256 * 1024 * 1024
MESSAGE_SIZE = 64 * 1024
PINGS = 2_000
SMALL_SIZE = 100
SMALL_COUNT = 200_000
STEP_TIMEOUT = 60.0


@dataclass
class Report:
    """What the demo found; times in seconds."""

    set_up: float = 0.0
    size: int = 0
    file_time: float = 0.0
    file_cpu: float = 0.0
    verified: bool = False
    round_trips: list[float] = field(default_factory=list)
    small_time: float = 0.0
    small_count: int = 0
    stats: dict[str, dict[str, Any]] = field(default_factory=dict)


class Source:
    """The bytes to send: a file, or made ones (a random block, different in every message)."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.name = path.name if path else "a made file"
        self.size = path.stat().st_size if path else MADE_SIZE

    def blocks(self) -> Iterator[bytes]:
        if self.path:
            with self.path.open("rb") as file:
                while block := file.read(MESSAGE_SIZE):
                    yield block
        else:
            tail = os.urandom(MESSAGE_SIZE - 8)
            for number in range(self.size // MESSAGE_SIZE):
                yield number.to_bytes(8, "big") + tail


def run(path: Path | None, *, threaded: bool) -> int:
    """Runs the demo and prints its table; the exit status is 0 when the file arrived whole."""
    console = Console()
    source = Source(path)
    report = asyncio.run(_measure(source, threaded, console))
    _print(report, source, console)
    return 0 if report.verified else 1


async def _measure(source: Source, threaded: bool, console: Console) -> Report:
    report = Report(size=source.size)
    async with _second_process(threaded) as signaling:
        with rtcore.Worker(threaded=threaded) as worker:
            async with rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS]) as pc:
                channel = await _connect(pc, signaling, report)
                await _send_file(channel, signaling, source, report, console)
                await _ping(pc, report)
                await _send_small(pc, signaling, report)
                report.stats = await pc.get_stats()
    return report


async def _connect(
    pc: rtcore.PeerConnection, signaling: StreamSignaling, report: Report
) -> rtcore.DataChannel:
    channel = pc.create_data_channel("file")
    await _expect(signaling, "ready")
    begin = time.perf_counter()
    await pc.set_local_description()
    await pc.gathered()
    await signaling.send(pc.local_description)
    answer = await signaling.receive()
    assert isinstance(answer, rtcore.SessionDescription)
    await pc.set_remote_description(answer)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
    report.set_up = time.perf_counter() - begin
    return channel


async def _send_file(
    channel: rtcore.DataChannel, signaling: StreamSignaling, source: Source, report: Report, console: Console
) -> None:
    digest = hashlib.sha256()
    cpu = await _cpu(signaling)
    begin = time.perf_counter()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"sending {source.name}", total=source.size)
        await channel.send(json.dumps({"name": source.name, "size": source.size}))
        for block in source.blocks():
            digest.update(block)
            await channel.send(block)
            progress.advance(task, len(block))
        done = await _expect(signaling, "sha256")
    report.file_time = time.perf_counter() - begin
    report.file_cpu = await _cpu(signaling) - cpu
    report.verified = done["received"] == source.size and done["sha256"] == digest.hexdigest()


async def _ping(pc: rtcore.PeerConnection, report: Report) -> None:
    channel = pc.create_data_channel("ping")
    payload = bytes(SMALL_SIZE)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
        for _ in range(PINGS):
            begin = time.perf_counter()
            await channel.send(payload)
            await channel.receive()
            report.round_trips.append(time.perf_counter() - begin)


async def _send_small(pc: rtcore.PeerConnection, signaling: StreamSignaling, report: Report) -> None:
    channel = pc.create_data_channel("small")
    payload = bytes(SMALL_SIZE)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
        begin = time.perf_counter()
        for _ in range(SMALL_COUNT):
            await channel.send(payload)
        await channel.send("end")
        report.small_count = (await _expect(signaling, "counted"))["counted"]
    report.small_time = time.perf_counter() - begin


async def _expect(signaling: StreamSignaling, key: str) -> dict[str, Any]:
    """The next words of the second process, which must contain `key`."""
    async with asyncio.timeout(STEP_TIMEOUT):
        message = await signaling.receive()
    if not isinstance(message, dict) or key not in message:
        raise RuntimeError(f"the second process said {message!r} where {key!r} was due")
    return message


async def _cpu(signaling: StreamSignaling) -> float:
    """CPU seconds that both processes have used so far."""
    await signaling.send({"ask": "cpu"})
    other = float((await _expect(signaling, "cpu"))["cpu"])
    times = os.times()
    return other + times.user + times.system


@contextlib.asynccontextmanager
async def _second_process(threaded: bool) -> AsyncIterator[StreamSignaling]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "rtcore", "demo-peer", "--threaded" if threaded else "--no-threaded"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_LINE,
    )
    assert process.stdin
    assert process.stdout
    signaling = StreamSignaling(process.stdout, process.stdin)
    try:
        yield signaling
    finally:
        signaling.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def _print(report: Report, source: Source, console: Console) -> None:
    table = Table(title="rtcore demo", show_header=False, title_justify="left")
    for name, value in _rows(report, source):
        table.add_row(name, value)
    console.print(table)


def _rows(report: Report, source: Source) -> Iterator[tuple[str, str]]:
    trips = sorted(report.round_trips)
    transport = next(s for s in report.stats.values() if s["type"] == "transport")
    pair = report.stats[transport["selectedCandidatePairId"]]
    local, remote = report.stats[pair["localCandidateId"]], report.stats[pair["remoteCandidateId"]]
    association = next(s for s in report.stats.values() if s["type"] == "sctp-transport")
    yield (
        "file",
        f"{source.name}, {report.size / 1e6:.1f} MB, "
        + ("SHA-256 verified" if report.verified else "NOT what was sent"),
    )
    yield "set-up, offer to open channel", f"{report.set_up * 1e3:.1f} ms"
    yield "throughput", f"{report.size * 8 / report.file_time / 1e6:,.0f} Mbit/s"
    if report.size:
        yield "CPU, both processes", f"{report.file_cpu / report.size * 1e9:.2f} s per GB"
    yield f"{SMALL_SIZE}-byte messages", f"{report.small_count / report.small_time:,.0f} per second"
    yield (
        f"round trip of {SMALL_SIZE} bytes",
        "p50 {:.0f}, p90 {:.0f}, p99 {:.0f} us".format(
            *(trips[int(len(trips) * q)] * 1e6 for q in (0.5, 0.9, 0.99))
        ),
    )
    yield "chunks retransmitted", f"{association['chunksRetransmitted']:,}"
    yield (
        "selected pair",
        " <-> ".join(f"{c['candidateType']} {c['address']}:{c['port']}" for c in (local, remote)),
    )
    yield "DTLS", f"{transport['dtlsCipher']}"
