"""One encoded stream to many connections, over loopback, judged by the numbers in the decoded pictures."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

import rtcore
from rtcore.errors import InvalidStateError, TrackEndedError
from rtcore.media import EncodedFrame, TestPicture, codecs, pool
from rtcore.sdp import default_codecs
from test_connection_live import exchange, pair
from test_connection_media import VP8, counters, run, tracks_of, until


class Studio:
    """Encodes numbered pictures into a fan-out, with a key frame whenever one is asked for."""

    def __init__(self) -> None:
        self.key = True
        self.asked = 0
        self.bitrates: list[int] = []
        self.fan = rtcore.Fanout(VP8, on_key_frame_request=self._ask, on_bitrate=self.bitrates.append)

    def _ask(self) -> None:
        self.key = True
        self.asked += 1

    async def play(self) -> None:
        source, encoder = TestPicture(width=320, height=180), codecs.create_encoder(VP8, bitrate=500_000)
        try:
            while True:
                picture = await source.recv()
                key, self.key = self.key, False
                for frame in await pool.run(lambda: encoder.encode(picture, key=key)):  # noqa: B023
                    self.fan.send(frame)
        finally:
            encoder.close()

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator[rtcore.Fanout]:
        task = asyncio.create_task(self.play())
        try:
            yield self.fan
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.fan.close()


async def watch(fan: rtcore.Fanout, stack: contextlib.AsyncExitStack) -> rtcore.PeerConnection:
    """A new viewer; returns its end."""
    server, viewer = await stack.enter_async_context(pair())
    server.add_track(fan.track())
    await exchange(server, viewer)
    await server.connected()
    return viewer


def rising(numbers: list[int]) -> bool:
    return all(0 <= before < after for before, after in itertools.pairwise(numbers))


def test_one_source_many_viewers() -> None:
    async def main() -> None:
        studio = Studio()
        async with studio.playing() as fan, contextlib.AsyncExitStack() as stack:
            viewers = [await watch(fan, stack) for _ in range(3)]
            seen = await asyncio.gather(*(counters(tracks_of(one)["video"], 20) for one in viewers))
            assert all(rising(numbers) for numbers in seen), seen
            assert fan.stats()["consumers"] == 3
            assert studio.asked >= 1
            late = await watch(fan, stack)  # asks for a key frame
            assert rising(await counters(tracks_of(late)["video"], 10))
            await viewers[0].close()
            await until(lambda: fan.stats()["consumers"] == 3)
            assert rising(await counters(tracks_of(late)["video"], 10))
            await until(lambda: studio.bitrates)

    run(main)


def test_forwards_what_a_connection_receives() -> None:
    async def main() -> None:
        fan = rtcore.Fanout(VP8)
        async with contextlib.AsyncExitStack() as stack:
            speaker, server = await stack.enter_async_context(pair())
            server.on("track", lambda event: setattr(event.receiver, "passthrough", True))
            speaker.add_track(TestPicture(width=320, height=180))
            await exchange(speaker, server)
            await server.connected()
            fan.take_from(server.get_receivers()[0])
            viewers = [await watch(fan, stack) for _ in range(2)]
            seen = await asyncio.gather(*(counters(tracks_of(one)["video"], 20) for one in viewers))
            assert all(rising(numbers) for numbers in seen), seen
            assert fan.stats()["frames"] >= 20
        fan.close()

    run(main)


def test_tracks_of_a_fanout_end_as_others_do() -> None:
    async def main() -> None:
        studio = Studio()
        async with studio.playing() as fan, contextlib.AsyncExitStack() as stack:
            server, viewer = await stack.enter_async_context(pair())
            track = fan.track()
            sender = server.add_track(track)
            await exchange(server, viewer)
            await server.connected()
            await counters(tracks_of(viewer)["video"], 3)
            reading = asyncio.create_task(track.recv())
            await sender.replace_track(None)
            await until(lambda: fan.stats()["consumers"] == 0)
            await sender.replace_track(fan.track())
            await until(lambda: fan.stats()["consumers"] == 1)
            track.stop()
            with pytest.raises(TrackEndedError):
                await reading
            fan.close()
            fan.close()
            assert fan.stats() == {}

    run(main)


def test_wrong_use() -> None:
    async def main() -> None:
        fan = rtcore.Fanout(VP8)
        opus = next(codec for codec in default_codecs("audio") if codec.name == "opus")
        fan.send(EncodedFrame(b"1234", codec="VP8", timestamp=0, key=True))  # to nobody
        async with contextlib.AsyncExitStack() as stack:
            server, viewer = await stack.enter_async_context(pair())
            transceiver = server.add_transceiver("video")
            with pytest.raises(InvalidStateError, match="negotiated"):
                fan.take_from(transceiver.receiver)
            server.add_track(rtcore.Fanout(opus).track())
            await exchange(server, viewer)
            await server.connected()
            other = await watch(fan, stack)
            with pytest.raises(ValueError, match="opus"):
                fan.send(EncodedFrame(b"1234", codec="opus", timestamp=0))
            await other.close()
        fan.close()
        async with contextlib.AsyncExitStack() as stack:
            server, viewer = await stack.enter_async_context(pair())
            failed: list[Exception] = []
            sender = server.add_track(fan.track())  # of a fan-out that is closed
            sender.on("error", failed.append)
            await exchange(server, viewer)
            await server.connected()
            await until(lambda: failed)
            assert isinstance(failed[0], InvalidStateError)

    run(main)
