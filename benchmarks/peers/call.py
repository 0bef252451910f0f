"""A call: `Session` with pictures and sounds both ways, and who sees and hears what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import rtcore
from rtcore.media import MediaTrack, TestTone
from rtcore.sdp import RtpCodec
from rtcore.sdp.codecs import default_codecs

from . import signaling
from .process import Json, Remote, RemoteConnection
from .relay import Relay
from .session import Session
from .stacks import Stack
from .watch import Picture, Pictures, Sound, Watcher, watch

OUR_TONE, THEIR_TONE = 880, 440  # Hz
THEIR_FIRST = 1_000_000
"""The number of their first picture, so that nobody can take one's own for the other's."""

PICTURE = {"type": "picture", "first": THEIR_FIRST}
TONE = {"type": "tone", "frequency": THEIR_TONE}


class Call(Session):
    """`picture` and `tone`: what we send; theirs have the names "picture" and "tone"."""

    def __init__(
        self, stack: Stack, pc: rtcore.PeerConnection, remote: RemoteConnection, relay: Relay | None
    ) -> None:
        super().__init__(stack, pc, remote)
        self.relay = relay
        self.picture: MediaTrack = Picture()
        self.tone: MediaTrack = TestTone(frequency=OUR_TONE)
        self._watchers: dict[int, Watcher] = {}

    # Negotiating

    @property
    def begins(self) -> str:
        """Who has to make the first offer of a call in which both make some."""
        return "us" if self.stack.keeps_numbers else "them"

    async def negotiate(self, by: str, add: Callable[[], Awaitable[object]] | None = None) -> None:
        """One offer and its answer; `add` is what the answering side does in between."""
        there = self.relay.to_them if self.relay else str
        here = self.relay.to_us if self.relay else str
        if by == "us":
            await self.remote.remote_offer(there(await signaling.local_sdp(self.pc, True)))
            if add:
                await add()
            await self.pc.set_remote_description(
                signaling.answer(here(signaling.loopback_only(await self.remote.described_answer())))
            )
        else:
            offer = here(signaling.loopback_only(await self.remote.offer()))
            await self.pc.set_remote_description(signaling.offer(offer))
            if add:
                await add()
            await self.remote.accept(there(await signaling.local_sdp(self.pc, True)))

    async def start(
        self,
        by: str,
        *,
        video: str | None = None,
        audio: str | None = None,
        picture: Json | None = PICTURE,
        tone: Json = TONE,
    ) -> None:
        """Picture and tone both ways, offered by "us" or "them", and connected. `video`, `audio`: the only
        codec that is offered. `picture` None: the tone alone."""

        async def ours() -> None:
            for track, codec in ((self.picture, video), (self.tone, audio)):
                if track is self.tone or picture:
                    self.add(track, codec if by == "us" else None)

        async def theirs() -> None:
            for name, source, codec in (("picture", picture, video), ("tone", tone, audio)):
                if not source:
                    continue
                codecs = [f"{'video' if name == 'picture' else 'audio'}/{codec}"] if codec else None
                offers = by == "them"
                await self.remote.add(name, source, codecs=codecs if offers else None, associate=not offers)

        if by == "us":
            await ours()
            await self.negotiate(by, theirs)
        else:
            await theirs()
            await self.negotiate(by, ours)
        async with asyncio.timeout(20):
            await self.pc.connected()

    def add(self, track: MediaTrack, codec: str | None = None) -> rtcore.RtpTransceiver:
        sender = self.pc.add_track(track)
        (transceiver,) = (each for each in self.pc.get_transceivers() if each.sender is sender)
        if codec:
            transceiver.set_codec_preferences(only(track.kind, codec))
        return transceiver

    # Looking

    def transceiver(self, kind: str, place: int = 0) -> rtcore.RtpTransceiver:
        """The `place`th of its kind."""
        return [each for each in self.pc.get_transceivers() if each.kind == kind][place]

    def _watcher(self, kind: str, place: int) -> Watcher:
        return self.watch(self.transceiver(kind, place).receiver.track)

    def watch(self, track: rtcore.media.RemoteTrack) -> Watcher:
        """Who reads the track, from the first call on."""
        if id(track) not in self._watchers:
            self._watchers[id(track)] = watch(track)
        return self._watchers[id(track)]

    def pictures(self, place: int = 0) -> Pictures:
        watcher = self._watcher("video", place)
        assert isinstance(watcher, Pictures)
        return watcher

    def sound(self, place: int = 0) -> Sound:
        watcher = self._watcher("audio", place)
        assert isinstance(watcher, Sound)
        return watcher

    async def here(self, kind: str, *, place: int = 0, **wanted: Any) -> Json:
        """What we see and hear of them."""
        return await self._watcher(kind, place).seen(**wanted)

    async def there(self, kind: str, *, place: int = 0, within: float = 30.0, **wanted: Any) -> Json:
        """What they see and hear of us."""
        return await self.there_of(self.transceiver(kind, place), within, **wanted)

    async def there_of(self, transceiver: rtcore.RtpTransceiver, within: float = 30.0, **wanted: Any) -> Json:
        mid = transceiver.mid
        assert mid is not None
        await self.remote.until(lambda: any(track["mid"] == mid for track in self.remote.tracks))
        return await self.remote.seen(mid, within, **wanted)

    async def see_each_other(self, numbers: int = 20, within: float = 30.0) -> tuple[Json, Json]:
        """Waits for so many readable pictures at either end; checks whose they are, and their order. Returns
        what was seen there and here."""
        there, here = await asyncio.gather(
            self.there("video", within=within, numbers=numbers),
            self.here("video", within=within, numbers=numbers),
        )
        assert max(there["numbers"]) < THEIR_FIRST <= min(here["numbers"])
        for seen in (there, here):
            assert seen["numbers"] == sorted(seen["numbers"]), seen  # a canvas may give one twice
            assert len(set(seen["numbers"])) > numbers / 2, seen
            assert seen["unreadable"] <= numbers / 4, seen
        return there, here

    async def hear_each_other(self) -> None:
        await asyncio.gather(
            self.there("audio", frequency=OUR_TONE), self.here("audio", frequency=THEIR_TONE)
        )

    # Counting

    async def ours(self, type: str, kind: str) -> list[Json]:
        """Our statistics of that type, about audio or video."""
        stats = await self.pc.get_stats()
        return [entry for entry in stats.values() if entry["type"] == type and entry.get("kind") == kind]

    async def theirs(self, type: str, kind: str) -> list[Json]:
        return [
            entry
            for entry in await self.remote.stats()
            if entry["type"] == type and entry.get("kind") == kind
        ]

    async def codecs(self) -> set[tuple[str, str]]:
        """(type of stream, MIME type in lower case) of what goes out and comes in here, as statistics say."""
        stats = await self.pc.get_stats()
        return {
            (entry["type"], stats[entry["codecId"]]["mimeType"].lower())
            for entry in stats.values()
            if entry["type"] in ("inbound-rtp", "outbound-rtp")
        }

    async def close_watchers(self) -> None:
        for watcher in self._watchers.values():
            await watcher.close()


OpenCall = Callable[..., AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def call_with(remote: Remote, *, relay: Relay | None = None, **options: Any) -> AsyncIterator[Call]:
    """Both ends, closed afterwards. `options` are those of `PeerConnection`."""
    async with rtcore.PeerConnection(interfaces=[signaling.ADDRESS], **options) as pc:
        connection = await remote.open()
        call = Call(remote.stack, pc, connection, relay)
        try:
            yield call
        finally:
            try:
                await call.close_watchers()
            finally:
                for track in (call.picture, call.tone):
                    track.stop()
                if remote.alive:
                    await connection.close()


def only(kind: str, name: str) -> list[RtpCodec]:
    """The codecs of that name, in all their variants."""
    return [codec for codec in default_codecs(kind) if codec.name.lower() == name.lower()]
