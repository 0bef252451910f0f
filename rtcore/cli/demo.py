"""`rtcore demo`: one media file, two processes, one connection, measured.

Starts the second process and connects to it over real UDP, with the signaling on its standard input and
output. Then

- `demo_media` plays the media file to it, which records it, and compares the recording with what was sent;
- `demo_data` sends the file's bytes through a data channel, compares SHA-256, plays ping-pong, sends small
  messages.

`demo_peer` is the second process, `demo_report` the table and the plot.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console

import rtcore
from rtcore.signaling import StreamSignaling
from rtcore.signaling.stream import MAX_LINE

from . import demo_data, demo_media, demo_report
from .demo_link import ADDRESS, STEP_TIMEOUT, Link


def run(path: Path | None, *, output: Path, seconds: float, threaded: bool) -> int:
    """Runs the demo and prints its table; the exit status is 0 when all arrived whole."""
    console = Console()
    output.mkdir(parents=True, exist_ok=True)
    with console.status("making a media file") if path is None else contextlib.nullcontext():
        clip = demo_media.Clip.of(path, output, seconds)
    source = demo_data.Source(path)
    media, data = asyncio.run(_measure(clip, source, output, threaded, console))
    with console.status("comparing the recording with what was sent"):
        media.verdict = demo_media.compare(clip, media.recording)
    demo_report.print_table(console, clip, source, media, data)
    demo_report.plot(console, media, output / "rtcore-demo.png")
    return 0 if data.verified and media.verdict.good else 1


async def _measure(
    clip: demo_media.Clip, source: demo_data.Source, output: Path, threaded: bool, console: Console
) -> tuple[demo_media.Report, demo_data.Report]:
    media = demo_media.Report(recording=output / "rtcore-demo.mkv")
    data = demo_data.Report(size=source.size)
    async with _second_process(threaded) as link:
        with rtcore.Worker(threaded=threaded) as worker:
            async with (
                rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS]) as pc,
                clip.player() as player,
            ):
                for track in demo_media.tracks_of(player):
                    pc.add_track(track)
                channel = await _connect(pc, link, media, data)
                await demo_media.send(pc, player, link, media, console)
                await demo_data.send_file(channel, link, source, data, console)
                await demo_data.ping(pc, data)
                await demo_data.send_small(pc, link, data)
                data.stats = await pc.get_stats()
    return media, data


async def _connect(
    pc: rtcore.PeerConnection, link: Link, media: demo_media.Report, data: demo_data.Report
) -> rtcore.DataChannel:
    channel = pc.create_data_channel("file")
    await link.expect("ready")
    await link.signaling.send({"record": str(media.recording)})
    begin = time.perf_counter()
    await pc.set_local_description()
    await pc.gathered()
    await link.signaling.send(pc.local_description)
    answer = await link.signaling.receive()
    assert isinstance(answer, rtcore.SessionDescription)
    await pc.set_remote_description(answer)
    async with asyncio.timeout(STEP_TIMEOUT):
        await channel.opened()
    data.set_up = time.perf_counter() - begin
    return channel


@contextlib.asynccontextmanager
async def _second_process(threaded: bool) -> AsyncIterator[Link]:
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
        yield Link(signaling)
    finally:
        signaling.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
