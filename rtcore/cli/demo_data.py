"""The demo's data: a file, a ping-pong and small messages through data channels."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

import rtcore

from .demo_link import STEP_TIMEOUT, Link

__all__ = ["Report", "Source", "ping", "send_file", "send_small"]

MADE_SIZE = 256 * 1024 * 1024
MESSAGE_SIZE = 64 * 1024
PINGS = 2_000
SMALL_SIZE = 100
SMALL_COUNT = 200_000


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


async def send_file(
    channel: rtcore.DataChannel, link: Link, source: Source, report: Report, console: Console
) -> None:
    """Its size as a string message, then its bytes."""
    digest = hashlib.sha256()
    cpu = await link.cpu()
    begin = time.perf_counter()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"sending {source.name}", total=source.size)
        await channel.send(json.dumps({"name": source.name, "size": source.size}))
        for block in source.blocks():
            digest.update(block)
            await channel.send(block)
            progress.advance(task, len(block))
        done = await link.expect("sha256")
    report.file_time = time.perf_counter() - begin
    report.file_cpu = await link.cpu() - cpu
    report.verified = done["received"] == source.size and done["sha256"] == digest.hexdigest()


async def ping(pc: rtcore.PeerConnection, report: Report) -> None:
    channel = pc.create_data_channel("ping")
    payload = bytes(SMALL_SIZE)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
        for _ in range(PINGS):
            begin = time.perf_counter()
            await channel.send(payload)
            await channel.receive()
            report.round_trips.append(time.perf_counter() - begin)


async def send_small(pc: rtcore.PeerConnection, link: Link, report: Report) -> None:
    channel = pc.create_data_channel("small")
    payload = bytes(SMALL_SIZE)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
        begin = time.perf_counter()
        for _ in range(SMALL_COUNT):
            await channel.send(payload)
        await channel.send("end")
        report.small_count = (await link.expect("counted"))["counted"]
    report.small_time = time.perf_counter() - begin
