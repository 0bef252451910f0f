"""rtcore.native.worker: peers on driven, threaded and portable workers, over real sockets on loopback."""

import contextlib
import gc
import hashlib
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Endpoint, Peer, Worker
from worker_sides import CERTIFICATE, KINDS, Side, join, pair, run


@pytest.fixture(params=KINDS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with contextlib.closing(Worker(**KINDS[request.param])) as worker:
        yield worker


@pytest.fixture
def driven() -> Iterator[Worker]:
    with contextlib.closing(Worker()) as worker:
        yield worker


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---- moving data ----


def test_messages_of_all_kinds(worker: Worker) -> None:
    a, b = pair(worker)
    sent: list[Any] = [b"", "", b"x", "grüße 漢字", b"\x00" * 1000, bytes(range(256)) * 1000, "a" * 70_000]
    for message in sent:
        assert a.peer.send(a.handle(), message)
        assert b.peer.send(b.handle(), message)
    run([worker], lambda: len(a.messages) == len(b.messages) == len(sent))
    assert a.messages == b.messages == sent
    assert [type(m) for m in b.messages] == [type(m) for m in sent]


def test_any_buffer_is_a_message(worker: Worker) -> None:
    array = pytest.importorskip("numpy").arange(6, dtype="uint16").reshape(2, 3)
    a, b = pair(worker)
    views = [bytearray(b"abc"), memoryview(b"0123456789")[2:5], array]
    for view in views:
        assert a.peer.send(a.handle(), view)
    run([worker], lambda: len(b.messages) == len(views))
    assert b.messages == [b"abc", b"234", array.tobytes()]
    with pytest.raises(BufferError):
        a.peer.send(a.handle(), memoryview(b"0123456789")[::2])
    with pytest.raises(TypeError):
        a.peer.send(a.handle(), 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_bulk_both_ways_with_back_pressure(kind: str, count: int) -> None:
    workers = [Worker(**KINDS[kind]) for _ in range(count)]
    a, b = pair(workers[0], workers[-1], send_buffer=1 << 18, receive_buffer=1 << 18)
    total, size = 300, 30_000
    sent = {a: 0, b: 0}
    refused = 0

    def push() -> bool:
        nonlocal refused
        for side in sent:
            while sent[side] < total:
                if not side.peer.send(side.handle(), sent[side].to_bytes(2, "big") * (size // 2)):
                    refused += 1
                    break
                sent[side] += 1
        return len(a.messages) == len(b.messages) == total

    run(workers, push, 60)
    for side in (a, b):
        assert [int.from_bytes(m[:2], "big") for m in side.messages] == list(range(total))  # type: ignore[arg-type]
        assert {len(m) for m in side.messages} == {size}
        assert side.saw("send_room")
    assert refused > 0
    for worker in workers:
        worker.close()


def test_slow_reader_stops_the_sender_and_loses_nothing(worker: Worker) -> None:
    a, b = pair(worker, send_buffer=1 << 17, receive_buffer=1 << 17)
    b.release = False
    sent = 0
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        sent += a.peer.send(a.handle(), sent.to_bytes(4, "big") * 2000)
        worker.run()
    received = len(b.messages)
    assert received * 8000 <= 1 << 17
    assert sent * 8000 <= (1 << 18) + 8000
    b.release = True
    b.peer.release(received * 8000)
    run([worker], lambda: len(b.messages) == sent)
    assert [int.from_bytes(m[:4], "big") for m in b.messages] == list(range(sent))  # type: ignore[arg-type]


def test_small_messages_share_packets(driven: Worker) -> None:
    a, b = pair(driven)
    before = driven.stats()["datagrams_sent"]
    for _ in range(1000):
        assert a.peer.send(a.handle(), b"x" * 50)
    run([driven], lambda: len(b.messages) == 1000)
    assert driven.stats()["datagrams_sent"] - before < 250


def test_first_message_leaves_before_send_returns(driven: Worker) -> None:
    a, b = pair(driven)
    run([driven], lambda: a.peer.stats()["sctp"]["bytes_in_flight"] == 0)
    before = driven.stats()["datagrams_sent"]
    a.peer.send(a.handle(), b"now")
    assert driven.stats()["datagrams_sent"] == before + 1
    a.peer.send(a.handle(), b"in company")
    assert driven.stats()["datagrams_sent"] == before + 1
    run([driven], lambda: len(b.messages) == 2)


def test_who_flushes_later_is_asked_once_per_burst(driven: Worker) -> None:
    asked: list[None] = []
    a, b = pair(driven, flush_later=lambda: asked.append(None))
    run([driven], lambda: a.peer.stats()["sctp"]["bytes_in_flight"] == 0)
    a.peer.send(a.handle(), b"at once")
    for burst in range(1, 3):
        before = driven.stats()
        for _ in range(3):
            a.peer.send(a.handle(), b"in company")
        assert len(asked) == burst
        assert driven.stats()["datagrams_sent"] == before["datagrams_sent"]
        a.peer.flush()
        a.peer.flush()
        assert driven.stats()["datagrams_sent"] == before["datagrams_sent"] + 1
    run([driven], lambda: b.messages == [b"at once"] + [b"in company"] * 6)
    a.peer.close()
    a.peer.flush()


def test_a_receiver_takes_the_messages_of_its_channel(worker: Worker) -> None:
    a, b = pair(worker, send_buffer=1 << 16, receive_buffer=1 << 16)
    b.release = False
    taken: list[bytes] = []

    def receiver(message: bytes, charge: int) -> bool:
        assert charge >= len(message)
        taken.append(message)
        return len(taken) <= 100  # those are consumed

    with pytest.raises(ValueError, match="channel"):
        b.peer.set_receiver(12345, receiver)
    b.peer.set_receiver(b.handle(), receiver)
    message = b"m" * 8000
    sent = 0

    def push() -> bool:
        nonlocal sent
        while sent < 100 and a.peer.send(a.handle(), message):
            sent += 1
        return len(taken) == 100

    run([worker], push)  # many times what fits into the window
    assert b.messages == []
    assert b.peer.stats()["sctp"]["receive_buffered"] == 0
    a.peer.send(a.handle(), b"kept")
    run([worker], lambda: len(taken) == 101)
    assert b.peer.stats()["sctp"]["receive_buffered"] >= len(b"kept")
    b.peer.set_receiver(b.handle(), None)
    a.peer.send(a.handle(), b"back")
    run([worker], lambda: b.messages == [b"back"])


# ---- channels ----


def test_channel_life(worker: Worker) -> None:
    a, b = pair(worker)
    info = a.peer.channel_info(a.handle())
    assert info["label"] == "chat"
    assert info["state"] == "open"
    assert (info["id"], info["incoming"]) == (0, False)
    assert b.peer.channel_info(b.handle())["incoming"]
    a.peer.set_buffered_amount_low_threshold(a.handle(), 0)
    assert a.peer.buffered_amount(a.handle()) == 0
    a.peer.send(a.handle(), b"x" * 100_000)
    run([worker], lambda: a.saw("buffered_amount_low", a.handle()) and len(b.messages) == 1)
    a.peer.close_channel(a.handle())
    run([worker], lambda: a.saw("channel_closed", a.handle()) and b.saw("channel_closed", b.handle()))
    assert b.saw("channel_closing", b.handle())
    with pytest.raises(ConnectionError):
        a.peer.send(a.handle(), b"too late")
    assert a.peer.stats()["channels"][a.handle()]["state"] == "closed"
    a.peer.forget_channel(a.handle())
    assert a.peer.stats()["channels"] == {}
    with pytest.raises(ValueError, match="channel"):
        a.peer.channel_info(a.handle())


def test_the_certificate_can_be_set_before_the_dtls_role(worker: Worker) -> None:
    other = Certificate.generate()
    a, b = Side(worker, controlling=True), Side(worker, controlling=False)
    a.peer.set_certificate(other)
    join(a, b)
    b.peer.add_fingerprint("sha-256", other.fingerprint_bytes("sha-256"))
    run([worker], lambda: a.saw("dtls_state", "connected") and b.saw("dtls_state", "connected"))
    assert b.peer.stats()["dtls"]["remote_certificate"] == other.der
    assert a.peer.stats()["dtls"]["local_certificate"] == other.der
    with pytest.raises(ConnectionError):
        a.peer.set_certificate(CERTIFICATE)
    with pytest.raises(TypeError):
        b.peer.set_certificate(None)  # type: ignore[arg-type]
    for side in (a, b):
        side.peer.close()


def test_credentials_and_an_sctp_port_of_ones_own(worker: Worker) -> None:
    """On one socket, where peers are told apart by their user name fragments."""
    endpoint = worker.bind("127.0.0.1")
    a, b, c = (Side(worker, controlling=controlling) for controlling in (True, False, False))
    b.peer.set_local_credentials("mine", "m" * 22)
    with pytest.raises(ValueError, match="set_local_credentials"):
        c.peer.set_local_credentials("mine", "c" * 22)
    drawn = c.peer.local_ufrag
    with pytest.raises(ValueError, match="set_local_credentials"):
        c.peer.set_local_credentials("free", "too short")
    assert c.peer.local_ufrag == drawn
    b.peer.set_local_credentials("other", "o" * 22)
    c.peer.set_local_credentials("mine", "c" * 22)
    assert (b.peer.local_ufrag, b.peer.local_pwd) == ("other", "o" * 22)
    c.peer.close()
    join(b, a, endpoints=[endpoint], ports=(6000, 5000))
    with pytest.raises(ConnectionError):
        b.peer.set_local_credentials("late", "l" * 22)
    a.peer.open_channel("x")
    run([worker], lambda: a.saw("channel_open") and b.saw("channel"))
    for side in (a, b):
        side.peer.close()


def test_channel_arguments(driven: Worker) -> None:
    a = Side(driven, controlling=True)
    with pytest.raises(ConnectionError):
        a.peer.open_channel("early")
    a.peer.start_sctp(5000, 0)
    handle = a.peer.open_channel(
        "ünïcode", protocol="p", ordered=False, negotiated=True, id=7, max_retransmits=3
    )
    info = a.peer.channel_info(handle)
    assert info == {
        "label": "ünïcode",
        "protocol": "p",
        "ordered": False,
        "negotiated": True,
        "incoming": False,
        "id": 7,
        "max_retransmits": 3,
        "max_packet_life_time": None,
        "priority": 256,
        "state": "connecting",
        "messages_sent": 0,
        "messages_received": 0,
        "bytes_sent": 0,
        "bytes_received": 0,
    }
    with pytest.raises(ValueError, match="open_channel"):
        a.peer.open_channel("twin", negotiated=True, id=7)
    with pytest.raises(ValueError, match="id"):
        a.peer.open_channel("far", negotiated=True, id=65535)
    with pytest.raises(ValueError, match="max_retransmits"):
        a.peer.open_channel("bad", max_retransmits=-1)
    with pytest.raises(ValueError, match="open_channel"):
        a.peer.open_channel("both", max_retransmits=1, max_packet_life_time=1)
    with pytest.raises(ConnectionError):
        a.peer.send(handle, b"not yet")


# ---- sockets ----


def test_endpoint_serves_many_peers(worker: Worker) -> None:
    endpoint = worker.bind("127.0.0.1")
    assert endpoint.address[0] == "127.0.0.1"
    sides = []
    for i in range(10):
        server, client = Side(worker, controlling=False), Side(worker, controlling=True)
        join(server, client, endpoints=[endpoint])
        client.peer.open_channel(str(i))
        sides.append((server, client))
    run([worker], lambda: all(s.saw("channel") and c.saw("channel_open") for s, c in sides))
    for i, (server, client) in enumerate(sides):
        assert server.candidates[0].port == endpoint.address[1]
        client.peer.send(client.handle(), str(i))
    run([worker], lambda: all(s.messages for s, _ in sides))
    assert [s.messages for s, _ in sides] == [[str(i)] for i in range(10)]
    assert worker.stats()["sockets"] == 11
    with pytest.raises(ConnectionError):
        endpoint.close()
    for server, _ in sides:
        server.peer.close()
    endpoint.close()
    endpoint.close()
    with pytest.raises(ValueError, match="endpoint"):
        Side(worker, controlling=True).peer.gather(endpoints=[endpoint])


def test_wildcard_endpoint_announces_a_real_address(driven: Worker) -> None:
    endpoint = driven.bind("0.0.0.0")
    side = Side(driven, controlling=True)
    side.peer.gather(endpoints=[endpoint])
    run([driven], lambda: side.saw("gathering_state", "complete"))
    assert [c.port for c in side.candidates] == [endpoint.address[1]]
    assert side.candidates[0].address != "0.0.0.0"


def test_announced_address_and_port_range(driven: Worker) -> None:
    side = Side(driven, controlling=True)
    side.peer.gather(interfaces=["lo"], ipv6=False, announced="192.0.2.7", port_range=(47400, 47499))
    run([driven], lambda: side.saw("gathering_state", "complete"))
    (candidate,) = side.candidates
    assert candidate.address == "192.0.2.7"
    assert 47400 <= candidate.port <= 47499


def test_gather_arguments(driven: Worker) -> None:
    side = Side(driven, controlling=True)
    with pytest.raises(ValueError, match="numeric"):
        side.peer.gather(servers=[("stun.example.org", 3478)])
    with pytest.raises(ValueError, match="port_range"):
        side.peer.gather(port_range=(5, 4))
    with pytest.raises(OSError, match="address"):
        side.peer.gather(interfaces=["no-such-interface"])
    with pytest.raises(OSError, match="bind"):
        driven.bind("192.0.2.1")
    with pytest.raises(ValueError, match="numeric"):
        driven.bind("localhost")
    busy = driven.bind("127.0.0.1")
    with pytest.raises(OSError, match="in use"):
        driven.bind("127.0.0.1", busy.address[1])
    assert driven.stats()["sockets"] == 1


def test_unanswered_stun_server_is_told(driven: Worker) -> None:
    silent = driven.bind("127.0.0.1")
    side = Side(driven, controlling=True)
    side.peer.gather(servers=[silent.address], interfaces=["127.0.0.1"])
    run([driven], lambda: side.saw("candidate_error") and side.saw("gathering_state", "complete"), 40)
    assert next(e for e in side.events if e[0] == "candidate_error")[1:3] == (0, 701)


def test_ice_restart_keeps_the_association(worker: Worker) -> None:
    a, b = pair(worker)
    before = a.peer.local_ufrag
    for side in (a, b):
        side.peer.restart_ice()
    assert a.peer.local_ufrag != before
    a.candidates.clear()
    for one, other in ((a, b), (b, a)):
        one.peer.set_remote_credentials(other.peer.local_ufrag, other.peer.local_pwd)
    for side in (a, b):
        side.peer.gather()
    run([worker], lambda: a.events.count(("selected_pair",)) >= 2)
    assert a.candidates
    a.peer.send(a.handle(), "still here")
    run([worker], lambda: b.messages == ["still here"])
    assert worker.stats()["sockets"] == 2


# ---- ends ----


def test_close_says_good_bye(worker: Worker) -> None:
    a, b = pair(worker)
    a.peer.close()
    a.peer.close()
    run([worker], lambda: b.saw("dtls_state", "closed") and b.saw("sctp_closed"))
    assert b.saw("channel_closed", b.handle())
    commands: list[Callable[[], object]] = [
        lambda: a.peer.send(0, b""),
        lambda: a.peer.gather(),
        lambda: a.peer.stats(),
        lambda: a.peer.release(1),
        lambda: a.peer.controlling,
    ]
    for command in commands:
        with pytest.raises(ConnectionError, match="closed"):
            command()
    assert worker.stats()["peers"] == 1
    assert worker.stats()["sockets"] == 1


def test_nothing_is_left_open(worker: Worker) -> None:
    before = descriptors()
    for _ in range(3):
        with contextlib.closing(Worker(threaded=worker.threaded)) as other:
            a, b = pair(worker, other)
            a.peer.close()
            b.peer.close()
    assert descriptors() == before


def test_closed_worker() -> None:
    worker = Worker()
    endpoint = worker.bind("127.0.0.1")
    a, _ = pair(worker)
    worker.close()
    worker.close()
    assert worker.closed
    assert worker.fileno() == -1
    assert worker.run() == 0
    assert worker.timeout() is None
    a.peer.close()
    endpoint.close()
    with pytest.raises(ConnectionError):
        a.peer.send(0, b"")
    with pytest.raises(ConnectionError):
        worker.bind("127.0.0.1")
    with pytest.raises(ConnectionError):
        Side(worker, controlling=True)


def test_close_from_a_handler(worker: Worker) -> None:
    pair(worker)

    class Closer(Side):
        def on_candidate(self, candidate: Candidate) -> None:
            worker.close()

    Closer(worker, controlling=True).peer.gather(interfaces=["127.0.0.1"])
    run([worker], lambda: worker.closed)
    assert repr(worker) == "<Worker closed>"


def test_handler_exceptions_do_not_stop_the_rest(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: caught.append(info.exc_value))

    class Faulty(Side):
        def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
            super().on_message(handle, data, charge)
            raise ZeroDivisionError(data)

    a, b = Side(worker, controlling=True), Faulty(worker, controlling=False)
    join(a, b)
    a.peer.open_channel("x")
    run([worker], lambda: a.saw("channel_open"))
    for i in range(5):
        a.peer.send(a.handle(), str(i))
    run([worker], lambda: len(b.messages) == 5)
    assert [str(e) for e in caught] == list("01234")


def test_interrupt_loses_no_event(driven: Worker) -> None:
    interrupts = 3

    class Interrupted(Side):
        def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
            nonlocal interrupts
            super().on_message(handle, data, charge)
            if interrupts:
                interrupts -= 1
                raise KeyboardInterrupt

    c, d = Side(driven, controlling=True), Interrupted(driven, controlling=False)
    join(c, d)
    c.peer.open_channel("x")
    run([driven], lambda: c.saw("channel_open"))
    for i in range(10):
        c.peer.send(c.handle(), str(i))
    seen = 0
    while len(d.messages) < 10:
        try:
            run([driven], lambda: len(d.messages) == 10)
        except KeyboardInterrupt:
            seen += 1
    assert seen == 3
    assert d.messages == [str(i) for i in range(10)]


def test_unreferenced_workers_and_peers_are_collected() -> None:
    before = descriptors()
    worker = Worker(threaded=True)
    a, _ = pair(worker)
    references = [weakref.ref(worker), weakref.ref(a.peer)]
    del worker, a, _
    gc.collect()
    assert [r() for r in references] == [None, None]
    assert descriptors() == before


@pytest.mark.parametrize("kind", KINDS)
def test_exit_with_a_running_worker(kind: str) -> None:
    """The interpreter ends in the middle of traffic, with nobody closing anything."""
    program = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import test_worker as t
        worker = t.Worker(**{KINDS[kind]!r})
        a, b = t.pair(worker)
        while a.peer.send(a.handle(), b"x" * 50_000):
            pass
        print("leaving")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "leaving"), done.stderr


def test_commands_from_many_threads() -> None:
    with contextlib.closing(Worker(threaded=True)) as worker:
        a, b = pair(worker)
        errors: list[BaseException] = []

        def talk(side: Side) -> None:
            try:
                for _ in range(300):
                    while not side.peer.send(side.handle(), b"x" * 500):
                        time.sleep(0.001)
                    side.peer.stats()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=talk, args=(side,)) for side in (a, b) for _ in range(3)]
        for thread in threads:
            thread.start()
        run([worker], lambda: len(a.messages) == len(b.messages) == 900, 60)
        for thread in threads:
            thread.join()
        assert not errors


def test_close_while_other_threads_call() -> None:
    for _ in range(5):
        worker = Worker(threaded=True)
        a, _b = pair(worker)
        errors: list[BaseException] = []

        def talk(peer: Peer = a.peer, handle: int = a.handle(), errors: list[Any] = errors) -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    try:
                        peer.send(handle, b"x" * 5000)
                    except ConnectionError:
                        raise
                    except BaseException as error:
                        errors.append(error)
                        raise

        threads = [threading.Thread(target=talk) for _ in range(3)]
        for thread in threads:
            thread.start()
        while a.peer.stats()["sctp"]["messages_sent"] < 20:
            worker.run()
        worker.close()
        for thread in threads:
            thread.join()
        assert not errors


# ---- values ----


def test_worker_properties() -> None:
    with contextlib.closing(Worker()) as worker:
        assert (worker.threaded, worker.timer_in_fd) == (False, True)
        assert worker.timeout() is None
        Side(worker, controlling=True).peer.gather(interfaces=["127.0.0.1"])
        assert repr(worker) == "<Worker driven, 1 peers>"
        stats = worker.stats()
        assert stats["epoll"]
        assert stats["sockets"] == 1
    with contextlib.closing(Worker(poll=True)) as worker:
        assert worker.threaded
        assert not worker.stats()["epoll"]
    with pytest.raises(ValueError, match="socket_buffer"):
        Worker(socket_buffer=-1)


def test_peer_arguments(driven: Worker) -> None:
    for wrong in (
        {"mtu": 100},
        {"max_mtu": 1100},
        {"receive_buffer": 0},
        {"send_buffer": 1 << 31},
        {"max_message_size": 0},
        {"max_channels": 65536},
        {"keepalive_interval": -1.0},
        {"keepalive_interval": 0.0},
        {"failed_timeout": float("nan")},
        {"srtp_profiles": [1, 2, 7, 8, 9]},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Side(driven, controlling=True, **wrong)
    with pytest.raises(TypeError):
        Peer(driven, object(), None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        Peer(driven, object(), CERTIFICATE)  # type: ignore[arg-type]
    side = Side(driven, controlling=True)
    with pytest.raises(ValueError, match="role"):
        side.peer.set_dtls_role("both")
    side.peer.set_dtls_role("client")
    with pytest.raises(ConnectionError):
        side.peer.set_dtls_role("server")
    with pytest.raises(ValueError, match="remote_port"):
        side.peer.start_sctp(0, 0)
    with pytest.raises(ConnectionError):
        side.peer.export_keying_material("x", 16)
    assert driven.stats()["peers"] == 1


def test_stats_tell_everything(worker: Worker) -> None:
    a, b = pair(worker, srtp_profiles=[7, 1])
    a.peer.send(a.handle(), b"x" * 1000)
    run([worker], lambda: bool(b.messages))
    stats = a.peer.stats()
    assert stats["transport"]["packets_sent"] > 0
    assert stats["ice"]["state"] in ("connected", "completed")
    assert stats["ice"]["local_ufrag"] == a.peer.local_ufrag
    assert stats["local_candidates"][0]["candidate"].port == a.candidates[0].port
    assert len(stats["remote_candidates"]) == 1
    (chosen,) = (p for p in stats["pairs"] if p["selected"])
    assert chosen["id"] == stats["ice"]["selected_pair"]
    assert 0 < chosen["current_round_trip"] < 1
    assert 0 <= stats["now"] - chosen["last_packet_sent"] < 20
    assert stats["dtls"]["state"] == "connected"
    assert stats["dtls"]["srtp_profile"] == 7
    assert stats["dtls"]["cipher"]
    assert stats["dtls"]["local_certificate"] == stats["dtls"]["remote_certificate"] == CERTIFICATE.der
    assert stats["sctp"]["state"] == "established"
    assert stats["channels"][a.handle()]["bytes_sent"] == 1000
    assert stats["channels"][a.handle()]["buffered_amount"] == 0
    assert a.peer.export_keying_material("EXTRACTOR-dtls_srtp", 60) == b.peer.export_keying_material(
        "EXTRACTOR-dtls_srtp", 60
    )
    fresh = Side(worker, controlling=True).peer.stats()
    assert fresh["dtls"] is fresh["sctp"] is None


def test_roles(driven: Worker) -> None:
    side = Side(driven, controlling=True)
    assert side.peer.controlling
    side.peer.set_controlling(False)
    assert not side.peer.controlling


def test_wrong_fingerprint_never_opens(worker: Worker) -> None:
    a, b = Side(worker, controlling=True), Side(worker, controlling=False)
    a.other, b.other = b, a
    for one, other, role in ((a, b, "client"), (b, a, "server")):
        one.peer.add_fingerprint("sha-256", hashlib.sha256(b"another certificate").digest())
        one.peer.set_dtls_role(role)
        one.peer.start_sctp(5000, 0)
        one.peer.set_remote_credentials(other.peer.local_ufrag, other.peer.local_pwd)
        one.peer.gather(interfaces=["127.0.0.1"])
    run([worker], lambda: a.saw("dtls_state", "failed") or b.saw("dtls_state", "failed"))
    assert not a.saw("sctp_connected")
    assert not b.saw("sctp_connected")


def test_endpoint_is_made_by_a_worker() -> None:
    endpoint = Endpoint()
    endpoint.close()
