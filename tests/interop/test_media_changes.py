"""Calls that change while they last: tracks disabled, replaced, added, removed, directions."""

import asyncio

import pytest

from benchmarks.peers.call import OUR_TONE, PICTURE, THEIR_FIRST, OpenCall
from benchmarks.peers.watch import Picture
from rtcore.media import TestTone

pytestmark = [pytest.mark.able("media"), pytest.mark.able("changes")]

ANOTHER = 5_000_000
"""The first number of a picture that takes the place of another."""

SILENCE = -1000
"""The level of digital silence, which JSON cannot say: dB."""

NOTHING = [{"framesDecoded": 0}]


async def test_disabled(call: OpenCall) -> None:
    """Black and silence while a track is not enabled, here or there; then the same picture again."""
    theirs = ("picture", "tone")
    async with call() as call:
        await call.start("us")
        await call.see_each_other(5)
        await call.hear_each_other()
        for enabled in (False, True):
            call.picture.enabled = call.tone.enabled = enabled
            if call.stack.enables:
                await asyncio.gather(*(call.remote.enable(name, enabled) for name in theirs))
            if enabled:
                await asyncio.gather(call.there("video", numbers=1), call.here("video", numbers=1))
                await call.see_each_other(5)
                await call.hear_each_other()
            else:
                if call.stack.enables:
                    await call.pictures().until(lambda: call.pictures().brightness < 20)
                    await call.sound().until(lambda: call.sound().frequency == 0)
                while len((await call.there("video", frames=5))["numbers"]):
                    pass
                while ((await call.there("audio"))["level"] or SILENCE) > -80:
                    pass


async def test_replaced(call: OpenCall) -> None:
    """Another track in the same place, without negotiating; then none; then one again."""
    async with call() as call:
        await call.start("them")
        await call.see_each_other(5)
        sender = call.transceiver("video").sender

        other = Picture(320, 240, first=ANOTHER)
        await sender.replace_track(other)
        await call.remote.replace("picture", {**PICTURE, "first": ANOTHER + THEIR_FIRST})
        while min((await call.there("video", numbers=1))["numbers"]) < ANOTHER:
            pass
        assert (await call.there("video", frames=3))["width"] <= 320
        await call.pictures().until(lambda: call.pictures().numbers[-1] >= ANOTHER + THEIR_FIRST)

        await sender.replace_track(None)
        await call.remote.replace("picture", None)
        sent = (await call.ours("outbound-rtp", "video"))[0]["framesSent"]
        await call.transceiver("audio").sender.replace_track(TestTone(frequency=2 * OUR_TONE))
        await call.there("audio", frequency=2 * OUR_TONE)
        assert (await call.ours("outbound-rtp", "video"))[0]["framesSent"] <= sent + 1

        await sender.replace_track(call.picture)
        await call.remote.replace("picture", PICTURE)
        while max((await call.there("video", numbers=1))["numbers"]) >= ANOTHER:
            pass
        await call.pictures().until(lambda: call.pictures().numbers[-1] < ANOTHER)


@pytest.mark.able("holds")
async def test_directions(call: OpenCall) -> None:
    """Hold and resume: by our offers, then by theirs."""
    async with call() as call:
        await call.start(call.begins)
        await call.see_each_other(5)
        ours = call.transceiver("video")
        assert ours.mid is not None
        held = False

        for by, direction, current in (
            ("us", "sendonly", "sendonly"),
            ("us", "sendrecv", "sendrecv"),
            ("us", "inactive", "inactive"),
            ("us", "sendrecv", "sendrecv"),
            ("them", "sendonly", "recvonly"),
            ("them", "recvonly", "sendonly"),
            ("them", "sendrecv", "sendrecv"),
        ):
            if by == "us":
                ours.direction = direction
            else:
                await call.remote.direction("picture", direction)
            await call.negotiate(by)
            assert ours.current_direction == current
            receives, sends = "recv" in current, "send" in current
            if receives:
                await call.here("video", numbers=3)
            assert ours.receiver.track.muted is not receives
            held = held or not sends
            if sends and (call.stack.shows_again or not held):
                await call.there("video", numbers=3)
            elif sends:
                while (await call.theirs("inbound-rtp", "video") or NOTHING)[0]["framesDecoded"] < 3:
                    pass  # anew since it was held
            theirs = {each["mid"]: each["current"] for each in await call.remote.transceivers()}
            assert theirs[ours.mid] == {"sendonly": "recvonly", "recvonly": "sendonly"}.get(current, current)
        await call.hear_each_other()


async def test_added_and_removed(call: OpenCall) -> None:
    """Audio alone, then pictures one after the other by either side; and away with them again."""
    async with call() as call:
        await call.start(call.begins, picture=None)
        await call.hear_each_other()

        call.add(call.picture)
        await call.negotiate("us")
        await call.there("video", numbers=5)

        await call.remote.add("second", {**PICTURE, "first": ANOTHER}, direction="sendonly")
        await call.negotiate("them")
        second = call.transceiver("video", 1)
        assert second.current_direction == "recvonly"
        watcher = call.pictures(1)
        await watcher.until(lambda: watcher.numbers[-1:] >= [ANOTHER])

        call.pc.remove_track(call.transceiver("video").sender)
        await call.negotiate("us")
        assert call.transceiver("video").current_direction in ("recvonly", "inactive")

        if call.stack.stops:
            await call.remote.stop("second")
            await call.negotiate("them")
            await watcher.until(lambda: watcher.ended)
            assert second.stopped

        again = Picture(320, 180, first=ANOTHER)
        place = call.pc.add_transceiver(again)
        await call.negotiate("us")
        seen = await call.there_of(place, numbers=5)
        assert min(seen["numbers"]) >= ANOTHER
        await call.hear_each_other()
