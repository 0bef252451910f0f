"""Connecting: who offers, and when candidates travel."""

import asyncio

import pytest

from benchmarks.peers.session import Open


@pytest.mark.parametrize("trickle", [False, True], ids=["complete", "trickle"])
async def test_connects(opened: Open, by: str, trickle: bool) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by, trickle=trickle)
        await session.pc.connected()
        assert session.pc.connection_state == "connected"
        assert session.pc.ice_connection_state in ("connected", "completed")
        assert session.pc.signaling_state == "stable"
        await session.remote.until(lambda: session.remote.state == "connected")

        await ours.send("from here")
        await theirs.until(lambda: theirs.messages)
        assert theirs.messages == ["from here"]
        await theirs.send(b"from there")
        assert await ours.receive() == b"from there"


async def test_statistics_agree(opened: Open, by: str) -> None:
    async with opened() as session:
        ours, theirs = await session.connect(by)
        await ours.send(bytes(1000))
        await theirs.send(bytes(500))
        await ours.receive()
        await theirs.until(lambda: theirs.messages)

        stats = await session.pc.get_stats()
        async with asyncio.timeout(10):  # who controls may send data before it nominates
            while not any(entry.get("nominated") for entry in stats.values()):  # no event tells of it
                await asyncio.sleep(0.01)
                stats = await session.pc.get_stats()
        by_type = {entry["type"]: entry for entry in stats.values()}
        transport = by_type["transport"]
        assert transport["dtlsState"] == "connected"
        assert transport["tlsVersion"] == "FEFD"
        ciphers = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
        assert transport.get("srtpCipher", ciphers[0]) in ciphers  # some offer none while there is no media
        pair = stats[transport["selectedCandidatePairId"]]
        assert pair["state"] == "succeeded"
        assert pair["nominated"]
        assert stats[pair["localCandidateId"]]["address"] == "127.0.0.1"
        assert stats[pair["remoteCandidateId"]]["address"] == "127.0.0.1"
        channel = by_type["data-channel"]
        assert (channel["messagesSent"], channel["bytesSent"]) == (1, 1000)
        assert (channel["messagesReceived"], channel["bytesReceived"]) == (1, 500)
