"""PeerConnection over peers in memory: states, events, negotiation, waiting, errors, life."""

import asyncio
import gc
import warnings
from typing import Any

import pytest

import fake_worker as fake
import rtcore
from fake_worker import channels, exchange, pair, peer_of, turns
from rtcore.connection import driver
from rtcore.connection.event_stream import EventStream
from rtcore.connection.events import Event


async def taken(stream: EventStream[Event]) -> list[Event]:
    """What a stream holds now."""
    found = []
    while True:
        try:
            async with asyncio.timeout(0):
                found.append(await anext(stream))
        except (TimeoutError, StopAsyncIteration):
            return found


# Construction


def test_construction_without_a_loop(worker: Any) -> None:
    pc = rtcore.PeerConnection(worker=worker)
    channel = pc.create_data_channel("early")
    assert pc.connection_state == pc.ice_connection_state == pc.ice_gathering_state == "new"
    assert pc.signaling_state == "stable"
    assert channel.ready_state == "connecting"
    assert pc.local_description is None
    assert pc.remote_description is None
    assert pc.can_trickle_ice_candidates is None

    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as other:
            await exchange(pc, other)
            await channel.opened()
            await pc.close()

    asyncio.run(main())
    assert channel.ready_state == "closed"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"ice_servers": "stun:a"}, TypeError, "sequence"),
        ({"ice_servers": [1]}, TypeError, "int"),
        ({"ice_servers": ["http://a"]}, ValueError, "stun:"),
        ({"ice_servers": ["stun:a:0"]}, ValueError, "port"),
        ({"ice_servers": ["stun:a:70000"]}, ValueError, "port"),
        ({"ice_servers": ["stun:a?transport=udp"]}, ValueError, "query"),
        ({"ice_servers": [{"url": "stun:a"}]}, ValueError, "urls"),
        ({"ice_servers": [{"urls": []}]}, ValueError, "urls"),
        ({"ice_servers": ["turn:a"]}, rtcore.NotSupportedError, "turn"),
        ({"ice_servers": [rtcore.IceServer("stuns:a")]}, rtcore.NotSupportedError, "stuns"),
        ({"certificates": ["pem"]}, TypeError, "Certificate"),
        ({"worker": "worker"}, TypeError, "Worker"),
        ({"port_range": (2, 1)}, ValueError, "port_range"),
        ({"port_range": (0, 1)}, ValueError, "port_range"),
        ({"max_bitrate": "x"}, TypeError, "max_bitrate must be an int"),
        ({"min_bitrate": 0}, ValueError, "min_bitrate"),
        ({"min_bitrate": 300_000, "max_bitrate": 200_000}, ValueError, "less than min_bitrate"),
        ({"start_bitrate": 300_000, "max_bitrate": 200_000}, ValueError, "less than start_bitrate"),
        ({"port_range": (5,)}, TypeError, "port_range"),
        ({"port_range": 5}, TypeError, "port_range"),
        ({"port_range": ("a", "b")}, TypeError, "port_range"),
        ({"interfaces": "eth0"}, TypeError, "put 'eth0' into a list"),
        ({"interfaces": [1]}, TypeError, "interfaces"),
        ({"codecs": ["VP8"]}, TypeError, "default_codecs"),
        ({"max_message_size": 0}, ValueError, "max_message_size"),
        ({"mtu": 100}, ValueError, "mtu must be from 548"),
        ({"mtu": 1200.0}, TypeError, "mtu must be an int"),
        ({"max_mtu": 1000}, ValueError, "max_mtu must be from 1200"),
        ({"receive_buffer": 10}, ValueError, "receive_buffer"),
        ({"send_buffer": True}, TypeError, "send_buffer"),
        ({"max_channels": 0}, ValueError, "max_channels"),
        ({"disconnected_timeout": "5"}, TypeError, "disconnected_timeout must be a number"),
        ({"disconnected_timeout": 5, "failed_timeout": 1}, ValueError, "failed_timeout"),
        ({"max_message_size": 2**30}, ValueError, "max_message_size"),
    ],
)
def test_wrong_configuration(
    worker: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        rtcore.PeerConnection(**options)


def test_servers() -> None:
    from rtcore.connection.configuration import stun_addresses

    found = stun_addresses(
        [
            "stun:stun.example.org",
            {"urls": ["stun:192.0.2.1:5000", "stun:[2001:db8::1]:19302"]},
            rtcore.IceServer("stun:192.0.2.2"),
        ]
    )
    assert [(s.host, s.port, s.numeric) for s in found] == [
        ("stun.example.org", 3478, False),
        ("192.0.2.1", 5000, True),
        ("2001:db8::1", 19302, True),
        ("192.0.2.2", 3478, True),
    ]


def test_certificate_is_used(worker: Any) -> None:
    certificate = rtcore.Certificate.generate()
    pc = rtcore.PeerConnection(worker=worker, certificates=[certificate])
    assert pc.certificate is certificate

    async def main() -> None:
        async with pc:
            pc.create_data_channel("x")
            offer = await pc.create_offer()
            assert f"a=fingerprint:sha-256 {certificate.fingerprint()}\r\n" in offer.sdp
            assert peer_of(pc).certificate is certificate

    asyncio.run(main())


# Connecting


async def connect_both(worker: Any) -> None:
    async with pair(worker) as (a, b):
        a.create_data_channel("x")
        await exchange(a, b)
        async with asyncio.timeout(5):
            await asyncio.gather(a.connected(), b.connected())
        for pc in (a, b):
            assert pc.connection_state == "connected"
            assert pc.ice_connection_state == "connected"
        assert (peer_of(a).controlling, peer_of(b).controlling) == (True, False)
        assert (peer_of(a).role, peer_of(b).role) == ("server", "client")
        assert peer_of(a).sctp == (5000, 1024 * 1024)
        assert peer_of(b).fingerprints == [("sha-256", a.certificate.fingerprint_bytes())]


def test_connect(worker: Any) -> None:
    asyncio.run(connect_both(worker))


def test_the_loop_has_a_worker_of_its_own(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LINGER", 0.01)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await connect_both(None)
        own = driver._defaults[loop].worker
        await connect_both(None)
        assert driver._defaults[loop].worker is own, "it waits a little for the next connection"
        await asyncio.sleep(0.05)
        assert own.closed
        assert loop not in driver._defaults

    asyncio.run(main())


def test_timers_without_a_descriptor(worker: Any) -> None:
    worker.timer_in_fd = False
    asyncio.run(connect_both(worker))


def test_a_loop_that_ended_leaves_no_worker(worker: Any) -> None:
    async def leak() -> rtcore.PeerConnection:
        pc = rtcore.PeerConnection()
        await pc.create_offer()
        return pc

    leaked = asyncio.run(leak())
    left = leaked._transport._driver.worker
    asyncio.run(connect_both(None))
    assert left.closed
    asyncio.run(leaked.close())


def test_one_loop_per_worker(worker: Any) -> None:
    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:

            def elsewhere() -> None:
                async def use() -> None:
                    with pytest.raises(rtcore.InvalidStateError, match="loop"):
                        await rtcore.PeerConnection(worker=worker).create_offer()
                    with pytest.raises(rtcore.InvalidStateError, match="loop"):
                        await pc.create_offer()

                asyncio.run(use())

            await asyncio.to_thread(elsewhere)

    asyncio.run(main())


def test_closed_worker_is_refused(worker: Any) -> None:
    worker.close()

    async def main() -> None:
        with pytest.raises(rtcore.InvalidStateError, match="worker is closed"):
            await rtcore.PeerConnection(worker=worker).create_offer()

    asyncio.run(main())


def test_options_reach_the_peer(worker: Any) -> None:
    async def main() -> None:
        pc = rtcore.PeerConnection(
            worker=worker,
            ice_servers=["stun:192.0.2.9:1000"],
            interfaces=["eth7"],
            port_range=(4000, 4010),
            announced="203.0.113.1",
            loopback=True,
            ipv6=False,
            ice_lite=True,
            mtu=1300,
            receive_buffer=2**21,
            failed_timeout=7.0,
        )
        async with pc:
            pc.create_data_channel("x")
            await pc.set_local_description()
            options = peer_of(pc).options
            assert (options["lite"], options["mtu"], options["receive_buffer"]) == (True, 1300, 2**21)
            assert options["failed_timeout"] == 7.0
            (gather,) = peer_of(pc).gathers
            assert gather["servers"] == [("192.0.2.9", 1000)]
            assert gather["interfaces"] == ["eth7"]
            assert gather["port_range"] == (4000, 4010)
            assert (gather["announced"], gather["loopback"], gather["ipv6"]) == ("203.0.113.1", True, False)
            assert "a=ice-lite\r\n" in pc.local_description.sdp

    asyncio.run(main())


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ([("ice", "disconnected")], ["disconnected"]),
        ([("ice", "disconnected"), ("ice", "connected")], ["disconnected", "connected"]),
        ([("ice", "disconnected"), ("ice", "failed")], ["disconnected", "failed"]),
        ([("ice", "completed")], []),
        ([("dtls", "failed")], ["failed"]),
        ([("dtls", "closed")], ["closed"]),
    ],
)
def test_connection_states(worker: Any, events: list[tuple[str, str]], states: list[str]) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await exchange(a, b)
            await a.connected()
            seen: list[str] = []
            a.on("connectionstatechange", seen.append)
            for machine, state in events:
                if machine == "ice":
                    peer_of(a).happens("on_ice_state", state)
                else:
                    peer_of(a).happens("on_dtls_state", state, "why")
            await turns()
            assert seen == states

    asyncio.run(main())


@pytest.mark.parametrize("machine", ["ice", "dtls"])
def test_connected_says_why_not(worker: Any, machine: str) -> None:
    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:
            pc.create_data_channel("x")
            await pc.set_local_description()
            waiting = asyncio.ensure_future(pc.connected())
            if machine == "ice":
                peer_of(pc).happens("on_ice_state", "failed")
            else:
                peer_of(pc).happens("on_dtls_state", "failed", "the fingerprint does not match")
            with pytest.raises(
                rtcore.ConnectionFailedError, match="ICE" if machine == "ice" else "fingerprint"
            ):
                await waiting
            assert isinstance(waiting.exception(), ConnectionError)

    asyncio.run(main())


def test_waits_end_with_close(worker: Any) -> None:
    async def main() -> None:
        pc = rtcore.PeerConnection(worker=worker)
        channel = pc.create_data_channel("x")
        waits = [
            asyncio.ensure_future(wait)
            for wait in (
                pc.connected(),
                pc.gathered(),
                channel.opened(),
                channel.send(b""),
                channel.receive(),
            )
        ]
        ends = [asyncio.ensure_future(wait) for wait in (pc.closed(), channel.closed())]
        await turns()
        await pc.close()
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(result) for result in results] == [
            rtcore.ConnectionFailedError,
            rtcore.ConnectionFailedError,
            rtcore.ChannelClosedError,
            rtcore.ChannelClosedError,
            rtcore.ChannelClosedError,
        ]
        await asyncio.gather(*ends)

    asyncio.run(main())


def test_waits_can_be_cancelled(worker: Any) -> None:
    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:
            channel = pc.create_data_channel("x")
            for wait in (
                pc.connected,
                pc.gathered,
                pc.closed,
                channel.opened,
                channel.receive,
                channel.closed,
            ):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await wait()
            assert not pc._waiters
            assert not channel._waiters
            assert channel._reader is None

    asyncio.run(main())


# Closing


def test_close_is_idempotent_and_final(worker: Any) -> None:
    async def main() -> None:
        pc = rtcore.PeerConnection(worker=worker)
        pc.create_data_channel("x")
        await pc.set_local_description()
        await pc.close()
        await pc.close()
        assert (pc.connection_state, pc.ice_connection_state, pc.signaling_state) == ("closed",) * 3
        for attempt in (pc.create_offer, pc.create_answer, pc.set_local_description):
            with pytest.raises(rtcore.InvalidStateError):
                await attempt()
        with pytest.raises(rtcore.InvalidStateError):
            await pc.add_ice_candidate(None)
        with pytest.raises(rtcore.InvalidStateError):
            pc.create_data_channel("y")
        with pytest.raises(rtcore.InvalidStateError):
            pc.restart_ice()
        assert pc.local_description is not None

    asyncio.run(main())


def test_close_before_anything(worker: Any) -> None:
    pc = rtcore.PeerConnection(worker=worker)
    asyncio.run(pc.close())
    assert pc.connection_state == "closed"
    assert fake.FakePeer.made == 0 or not worker.peers


def test_remote_close_closes(worker: Any) -> None:
    async def main() -> None:
        async with channels(worker) as (one, two):
            await one.send(b"last words")
            pc = one._transport._connection
            other = two._transport._connection
            await turns()
            await pc.close()
            async with asyncio.timeout(5):
                await other.closed()
            assert [message async for message in two] == [b"last words"], "what arrived can still be read"
            assert two.error is None

    asyncio.run(main())


def test_close_within_a_handler(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")

            @b.on("datachannel")
            async def close(channel: rtcore.DataChannel) -> None:
                await b.close()

            await exchange(a, b)
            async with asyncio.timeout(5):
                await a.closed()

    asyncio.run(main())


def test_unclosed_connections_are_told(worker: Any) -> None:
    async def main() -> None:
        pc = rtcore.PeerConnection(worker=worker)
        await pc.create_offer()

    asyncio.run(main())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        worker.peers.clear()
        driver._given.clear()
        worker._events.clear()
        gc.collect()
    assert [w.category for w in caught if "PeerConnection" in str(w.message)] == [ResourceWarning]


# Negotiation


def test_negotiation_needed(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            needed: list[str] = []
            a.on("negotiationneeded", lambda: needed.append("a"))
            b.on("negotiationneeded", lambda: needed.append("b"))
            a.create_data_channel("x")
            a.create_data_channel("y")
            await turns()
            assert needed == ["a"], "once for both"
            await exchange(a, b)
            a.create_data_channel("z")
            b.create_data_channel("z")
            await turns()
            assert needed == ["a"], "the section is there already"
            a.restart_ice()
            a.restart_ice()
            await turns()
            assert needed == ["a", "a"]

    asyncio.run(main())


def test_perfect_negotiation_with_glare(worker: Any) -> None:
    """Both ends offer at the same time; the polite one gives way; one connection comes of it."""

    async def main() -> None:
        async with pair(worker) as (polite, impolite):
            wires: dict[Any, asyncio.Queue[Any]] = {polite: asyncio.Queue(), impolite: asyncio.Queue()}
            opened: asyncio.Queue[rtcore.DataChannel] = asyncio.Queue()

            async def run(pc: rtcore.PeerConnection, other: rtcore.PeerConnection, gives_way: bool) -> None:
                @pc.on("negotiationneeded")
                async def offer() -> None:
                    await pc.set_local_description()
                    wires[other].put_nowait(pc.local_description)

                pc.on("icecandidate", wires[other].put_nowait)
                pc.on("datachannel", opened.put_nowait)
                pc.create_data_channel("mine")
                ignore = False
                while True:
                    message = await wires[pc].get()
                    if isinstance(message, rtcore.CandidateEvent):
                        if not ignore:
                            await pc.add_ice_candidate(message)
                        continue
                    ignore = message.type == "offer" and pc.signaling_state != "stable" and not gives_way
                    if not ignore:
                        await pc.set_remote_description(message)
                        if message.type == "offer":
                            await pc.set_local_description()
                            wires[other].put_nowait(pc.local_description)

            tasks = [
                asyncio.ensure_future(run(polite, impolite, True)),
                asyncio.ensure_future(run(impolite, polite, False)),
            ]
            async with asyncio.timeout(5):
                await asyncio.gather(polite.connected(), impolite.connected())
                await opened.get()
                await opened.get()
            for task in tasks:
                task.cancel()
            assert polite.signaling_state == impolite.signaling_state == "stable"

    asyncio.run(main())


def test_descriptions_as_browsers_have_them(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await a.set_local_description()
            await b.set_remote_description(a.local_description.to_dict())
            await b.set_local_description({"type": "answer"})
            await a.set_remote_description(b.local_description.to_dict())
            await a.connected()
            with pytest.raises(TypeError, match="description"):
                await a.set_remote_description("v=0")  # type: ignore[arg-type]
            with pytest.raises(rtcore.SdpError):
                await a.set_remote_description({"type": "offer", "sdp": "hello"})

    asyncio.run(main())


def test_restart(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await exchange(a, b)
            await a.connected()
            before = (peer_of(a).local_ufrag, peer_of(b).local_ufrag)
            a.restart_ice()
            await exchange(a, b)
            await turns()
            after = (peer_of(a).local_ufrag, peer_of(b).local_ufrag)
            assert before[0] != after[0]
            assert before[1] != after[1]
            assert peer_of(a).remote[0] == after[1]
            assert len(peer_of(a).gathers) == len(peer_of(b).gathers) == 2
            await exchange(b, a)
            assert (peer_of(a).local_ufrag, peer_of(b).local_ufrag) == after
            offer = await a.create_offer(ice_restart=True)
            assert f"a=ice-ufrag:{after[0]}\r\n" not in offer.sdp

    asyncio.run(main())


def test_refused_data_closes_the_channels(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            channel = a.create_data_channel("x")
            await a.set_local_description()
            await b.set_remote_description(a.local_description)
            answer = await b.create_answer()
            refusal = answer.sdp.replace("m=application 9", "m=application 0").replace(
                "a=group:BUNDLE 0\r\n", ""
            )
            await a.set_remote_description({"type": "answer", "sdp": refusal})
            assert channel.ready_state == "closed"
            assert isinstance(channel.error, rtcore.OperationError)
            needed = []
            a.on("negotiationneeded", lambda: needed.append(1))
            await turns()
            assert needed == []
            a.create_data_channel("again")
            await turns()
            assert needed == [1]
            await exchange(a, b)
            await a.connected()

    asyncio.run(main())


# Candidates


def test_trickle(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.on("icecandidate", b.add_ice_candidate)
            b.on("icecandidate", a.add_ice_candidate)
            a.create_data_channel("x")
            await a.set_local_description()
            assert "a=candidate" not in a.local_description.sdp
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            await a.set_remote_description(b.local_description)
            await a.connected()
            await turns(10)
            for one, other in ((a, b), (b, a)):
                assert [c.address for c in peer_of(one).remote_candidates] == [
                    f"192.0.2.{peer_of(other).number % 250 + 1}"
                ]
                assert peer_of(one).remote_ended
                assert "a=candidate" in one.remote_description.sdp
                assert one.can_trickle_ice_candidates

    asyncio.run(main())


def test_gathered(worker: Any) -> None:
    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:
            pc.create_data_channel("x")
            await pc.set_local_description()
            await pc.gathered()
            assert pc.ice_gathering_state == "complete"
            assert "a=candidate" in pc.local_description.sdp
            assert "a=end-of-candidates" in pc.local_description.sdp

    asyncio.run(main())


def test_gathering_that_fails(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(self: Any, **options: Any) -> None:
        raise OSError(98, "no port is free")

    monkeypatch.setattr(fake.FakePeer, "gather", gather)

    async def main() -> None:
        async with rtcore.PeerConnection(worker=worker) as pc:
            pc.create_data_channel("x")
            with pytest.raises(rtcore.OperationError, match="no port is free"):
                await pc.set_local_description()
            with pytest.raises(rtcore.OperationError, match="no port is free"):
                await pc.gathered()

    asyncio.run(main())


def test_candidate_forms(worker: Any) -> None:
    text = "candidate:1 1 udp 1 192.0.2.1 4000 typ host"

    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await a.set_local_description()
            with pytest.raises(rtcore.InvalidStateError):
                await b.add_ice_candidate(text)
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            peer = peer_of(b)
            peer.remote_candidates.clear()
            for index, form in enumerate(
                [
                    text,
                    "a=" + text.replace("4000", "4001"),
                    rtcore.Candidate.from_sdp(text.replace("4000", "4002")),
                    {"candidate": text.replace("4000", "4003"), "sdpMid": "0"},
                    {"candidate": text.replace("4000", "4004"), "sdpMLineIndex": 0, "usernameFragment": None},
                ]
            ):
                await b.add_ice_candidate(form)
                assert [c.port for c in peer.remote_candidates] == list(range(4000, 4001 + index))
            for form, error in (
                (7, TypeError),
                ("candidate:nonsense", rtcore.SdpError),
                ({"candidate": text, "sdpMid": "9"}, rtcore.OperationError),
                ({"candidate": text, "sdpMid": "0", "usernameFragment": "zzzz"}, rtcore.OperationError),
            ):
                with pytest.raises(error):
                    await b.add_ice_candidate(form)
            await b.add_ice_candidate("candidate:1 2 udp 1 192.0.2.1 4009 typ host")
            assert len(peer.remote_candidates) == 5, "component 2 is RTCP's"
            assert not peer.remote_ended
            await b.add_ice_candidate({"candidate": "", "sdpMid": "0"})
            assert peer.remote_ended

    asyncio.run(main())


def test_candidates_with_names_are_resolved(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            await asyncio.sleep(0)
            if host == "known.local":
                return [(10, 2, 17, "", ("2001:db8::7", port, 0, 0)), (2, 2, 17, "", ("192.0.2.77", port))]
            raise OSError("no such host")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await exchange(a, b)
            peer = peer_of(b)
            peer.remote_candidates.clear()
            for name in ("known", "unknown"):
                await b.add_ice_candidate(f"candidate:1 1 udp 1 {name}.local 4000 typ host")
            await b.add_ice_candidate(None)
            assert not peer.remote_ended, "not before the names are resolved"
            await turns(10)
            assert [(c.address, c.port) for c in peer.remote_candidates] == [("192.0.2.77", 4000)]
            assert peer.remote_ended
            assert b._ignored_candidates == 1

    asyncio.run(main())


def test_servers_with_names_are_resolved(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            if host == "good.example":
                return [(2, 2, 17, "", ("192.0.2.78", port))]
            raise OSError("no such host")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
        servers = ["stun:bad.example", "stun:good.example:99"]
        async with rtcore.PeerConnection(worker=worker, ice_servers=servers) as pc:
            errors: list[rtcore.CandidateErrorEvent] = []
            pc.on("icecandidateerror", errors.append)
            pc.create_data_channel("x")
            await pc.set_local_description()
            await pc.gathered()
            assert peer_of(pc).gathers[0]["servers"] == [("192.0.2.78", 99)]
            assert [(e.url, e.error_code) for e in errors] == [("stun:bad.example", 701)]
            peer_of(pc).happens("on_candidate_error", 0, 701, "no answer")
            await turns()
            assert errors[-1] == rtcore.CandidateErrorEvent("stun:good.example:99", 701, "no answer")

    asyncio.run(main())


# Events


def test_events_in_order(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await exchange(a, b)
            await b.connected()
            await turns()
            names = [type(event).__name__ for event in await taken(b.events())]
            assert names == [
                "SignalingStateEvent",
                "SignalingStateEvent",
                "GatheringStateEvent",
                "IceConnectionStateEvent",
                "ConnectionStateEvent",
                "CandidateEvent",
                "CandidateEvent",
                "GatheringStateEvent",
                "IceConnectionStateEvent",
                "ConnectionStateEvent",
                "DataChannelEvent",
            ]

    asyncio.run(main())


def test_events_from_the_beginning_to_the_end(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("x")
            await exchange(a, b)
            await a.connected()
            await a.close()
            events = [event async for event in a.events()]
            states = [event.state for event in events if isinstance(event, rtcore.ConnectionStateEvent)]
            assert states == ["connecting", "connected", "closed"]
            signaling = [event.state for event in events if isinstance(event, rtcore.SignalingStateEvent)]
            assert signaling == ["have-local-offer", "stable", "closed"]
            gathering = [event.state for event in events if isinstance(event, rtcore.GatheringStateEvent)]
            assert gathering == ["gathering", "complete"]
            candidates = [event for event in events if isinstance(event, rtcore.CandidateEvent)]
            assert candidates[0].candidate is not None
            assert candidates[0].to_dict()["sdpMid"] == "0"
            assert candidates[0].to_dict()["usernameFragment"] == peer_of(a).local_ufrag
            assert candidates[-1].candidate is None
            assert candidates[-1].to_dict()["candidate"] == ""
            assert [event async for event in a.events()] == [], "a later stream begins later"

    asyncio.run(main())


def test_event_streams_are_bounded() -> None:
    async def main() -> None:
        stream: EventStream[Event] = EventStream(3)
        for state in "abcde":
            stream.put(rtcore.ConnectionStateEvent(state))
        stream.close()
        stream.put(rtcore.ConnectionStateEvent("late"))
        assert [event async for event in stream] == [
            rtcore.EventsDroppedEvent(2),
            *(rtcore.ConnectionStateEvent(state) for state in "cde"),
        ]

    asyncio.run(main())


def test_event_streams_have_one_reader() -> None:
    async def main() -> None:
        stream: EventStream[Event] = EventStream(3)
        first = asyncio.ensure_future(anext(stream))
        await turns()
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        stream.put(rtcore.NegotiationNeededEvent())
        assert await first == rtcore.NegotiationNeededEvent()

    asyncio.run(main())


def test_handlers(worker: Any) -> None:
    async def main() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        async with rtcore.PeerConnection(worker=worker) as pc:
            seen: list[Any] = []

            @pc.on("signalingstatechange")
            def broken(state: str) -> None:
                raise KeyError("broken")

            @pc.on("signalingstatechange")
            async def broken_task(state: str) -> None:
                raise KeyError("broken task")

            pc.on("signalingstatechange", seen.append)
            pc.on("signalingstatechange", broken)
            pc.off("signalingstatechange", broken)
            pc.create_data_channel("x")
            await pc.set_local_description()
            await turns()
            assert seen == ["have-local-offer"]
            assert [str(p["exception"]) for p in problems] == ["'broken task'"]
            pc.on("signalingstatechange", broken)
            await pc.set_local_description({"type": "rollback"})
            await turns()
            assert [str(p["exception"]) for p in problems] == ["'broken task'", "'broken'", "'broken task'"]
            with pytest.raises(ValueError, match="datachannel"):
                pc.on("data_channel", print)
            with pytest.raises(TypeError, match="function"):
                pc.on("datachannel", 7)  # type: ignore[type-var]
            with pytest.raises(ValueError, match="does not handle"):
                pc.off("datachannel", print)

    asyncio.run(main())
