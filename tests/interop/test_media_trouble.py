"""Calls under loss, readers that come late, and data beside media; and what both ends count of it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from benchmarks.peers.call import THEIR_FIRST, OpenCall
from benchmarks.peers.process import Json
from benchmarks.peers.relay import Relay

pytestmark = pytest.mark.able("media")

Look = Callable[[str, str], Awaitable[list[Json]]]


def one(entries: list[Json]) -> Json:
    (entry,) = entries
    return entry


@pytest.mark.able("asks")
async def test_key_frames(call: OpenCall) -> None:
    """Who begins to look in the middle asks for a key frame, and gets it; either way."""
    async with call() as call:
        await call.start("us")
        await call.see_each_other(10)

        before = one(await call.theirs("outbound-rtp", "video")) if call.stack.counts else {}
        encoded = call.transceiver("video").receiver.track.encoded()
        async with asyncio.timeout(10):
            frame = await encoded.recv()
        assert frame.key
        encoded.stop()
        if call.stack.counts:
            after = before
            while any(after.get(name, 1) <= before.get(name, 0) for name in ("keyFramesEncoded", "pliCount")):
                # Chromium's are old ones, Firefox has not all
                after = one(await call.theirs("outbound-rtp", "video"))
            assert after["framesEncoded"] > before["framesEncoded"]

        ours = one(await call.ours("outbound-rtp", "video"))
        call.transceiver("video").sender.request_key_frame()
        await call.there("video", frames=10)
        assert one(await call.ours("outbound-rtp", "video"))["keyFramesEncoded"] > ours["keyFramesEncoded"]


@pytest.mark.limit(90)
async def test_five_percent_lost(call: OpenCall, by: str) -> None:
    """Pictures go on with few gaps: what was lost was asked for, and sent again."""
    async with Relay(delay=0.02) as relay, call(relay=relay) as call:
        await call.start(by)
        await call.see_each_other(10)
        relay.loss = 0.05
        there, here = await call.see_each_other(120, within=call.stack.recovers)
        for seen in (there, here):
            numbers = seen["numbers"]
            assert max(b - a for a, b in pairwise(numbers)) < 90, numbers
        await call.hear_each_other()
        assert relay.lost > 10

        sent, got = (
            one(await call.ours("outbound-rtp", "video")),
            one(await call.ours("inbound-rtp", "video")),
        )
        assert sent["retransmittedPacketsSent"] > 0
        assert sent["nackCount"] > 0
        assert got["nackCount"] > 0
        assert got["retransmittedPacketsReceived"] > 0
        assert one(await call.ours("inbound-rtp", "audio"))["concealedSamples"] > 0
        if call.stack.reports:
            reported = one(await call.ours("remote-inbound-rtp", "video"))
            assert 0 < reported["packetsLost"] < 0.3 * sent["packetsSent"]  # of all, not of a last moment
        if call.stack.counts:
            theirs = one(await call.theirs("outbound-rtp", "video"))
            assert theirs["nackCount"] > 0
            assert theirs["retransmittedPacketsSent"] > 0
            assert one(await call.theirs("inbound-rtp", "video"))["nackCount"] > 0
            assert one(await call.theirs("inbound-rtp", "audio"))["concealedSamples"] > 0


async def test_data_beside_media(call: OpenCall, by: str) -> None:
    async with call() as call:
        await call.start(by)
        ours, _ = await call.connect(by, mode="echo")  # joins the bundle
        await call.see_each_other(10)
        for size in (1, 1200, 60000):
            await ours.send(bytes(size))
            assert await ours.receive() == bytes(size)
        await call.see_each_other(10)
        await call.hear_each_other()


@pytest.mark.able("counts_packets")
async def test_statistics_agree(call: OpenCall) -> None:
    """What one end says it sent arrives at the other: every packet of the sound, every frame of the picture.
    (Who probes the path by repeating packets counts these as sent, but nobody counts them as received.)"""
    async with call() as call:
        await call.start("us")
        await call.see_each_other(60)
        for source, sink in ((call.ours, call.theirs), (call.theirs, call.ours)):
            _, got = await sent_and_got(source, sink, "audio", "packets")
            if sink == call.ours:
                assert got["totalSamplesReceived"] > 48000
            if not call.stack.counts:
                continue
            sent, got = await sent_and_got(source, sink, "video", "frames")
            for name in ("frameWidth", "frameHeight"):
                assert got[name] == sent[name]
            assert 20 < got["framesDecoded"] <= sent["framesEncoded"]
            assert 0 < got["bytesReceived"] - got.get("retransmittedBytesReceived", 0) <= sent["bytesSent"]
        reported = one(await call.ours("remote-inbound-rtp", "video"))
        assert 0 <= reported["roundTripTime"] < 1


async def sent_and_got(source: Look, sink: Look, kind: str, unit: str) -> tuple[Json, Json]:
    """An outbound-rtp and an inbound-rtp later than it, which has all that had been sent by then; then the
    outbound-rtp once more, later than both (a browser's statistics may be some 50 ms old)."""
    first = sent = one(await source("outbound-rtp", kind))
    got = one(await sink("inbound-rtp", kind))
    async with asyncio.timeout(10):
        while got[f"{unit}Received"] < first[f"{unit}Sent"]:
            got = one(await sink("inbound-rtp", kind))
        while sent[f"{unit}Sent"] < got[f"{unit}Received"]:
            sent = one(await source("outbound-rtp", kind))
    assert first["ssrc"] == got["ssrc"] == sent["ssrc"]
    assert first[f"{unit}Sent"] > 20
    assert got["packetsReceived"] > 20
    assert got["packetsLost"] <= 2
    assert 0 <= got["jitter"] < 0.5
    return sent, got


@pytest.mark.able("devices")
async def test_camera_and_microphone(call: OpenCall) -> None:
    """The browser's made-up devices: pictures of the shape asked for, that change, and a sound."""
    async with call() as call:
        await call.start(
            "them", picture={"type": "camera", "width": 640, "height": 480}, tone={"type": "microphone"}
        )
        pictures, sound = call.pictures(), call.sound()
        looks: set[float] = set()
        await pictures.until(lambda: pictures.frames > 20, 20)
        assert all(width / height == pytest.approx(4 / 3, rel=0.02) for width, height in pictures.sizes)
        await pictures.until(lambda: looks.add(round(pictures.brightness, 2)) or len(looks) > 1)
        await sound.until(lambda: sound.frequency > 100)
        await call.there("video", numbers=10)


@pytest.mark.able("simulcasts")
async def test_simulcast(call: OpenCall) -> None:
    """Three encodings by rid: three sizes of the same pictures."""
    async with call() as call:
        rids = {"q": 4.0, "h": 2.0, "f": 1.0}
        await call.remote.add(
            "picture",
            {"type": "picture", "width": 1280, "height": 720, "first": THEIR_FIRST},
            direction="sendonly",
            encodings=[{"rid": rid, "scaleResolutionDownBy": by} for rid, by in rids.items()],
        )
        await call.negotiate("them")
        await call.pc.connected()
        receiver = call.transceiver("video").receiver
        assert list(receiver.tracks) == list(rids)
        watchers = {rid: call.watch(track) for rid, track in receiver.tracks.items()}
        for rid, by in rids.items():
            watcher = watchers[rid]
            await watcher.until(lambda w=watcher: len(w.numbers) >= 10, 40)
            assert watcher.sizes[-1] == (1280 / by, 720 / by)
            assert min(watcher.numbers) >= THEIR_FIRST
        counted = await call.ours("inbound-rtp", "video")
        assert {entry["frameWidth"] for entry in counted} == {1280 / by for by in rids.values()}
