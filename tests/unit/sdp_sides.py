"""Two ends of a negotiation for tests: made, connected, and compared."""

from collections.abc import Callable
from pathlib import Path

from rtcore.sdp import (
    AgreedSection,
    Description,
    Fingerprint,
    Negotiation,
    SessionDescription,
    parse,
    write,
)

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "sdp"
REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def side(number: int, **options) -> Negotiation:
    """Without data channels; its random numbers are the same each time."""
    draws = iter(range(number * 1_000_000, (number + 1) * 1_000_000))
    negotiation = Negotiation(
        session_id=number,
        fingerprints=(Fingerprint("sha-256", bytes([number] * 32)),),
        max_message_size=262144,
        draw=lambda bits: next(draws),
        **options,
    )
    negotiation.begin_generation(f"uf{number}g0", f"password{number}ofgeneration0")
    return negotiation


def known(description: SessionDescription | None) -> SessionDescription:
    assert description is not None
    return description


def connect(offerer: Negotiation, answerer: Negotiation) -> None:
    offerer.set_local()
    answerer.set_remote(known(offerer.local))
    answerer.set_local()
    offerer.set_remote(known(answerer.local))


def edited(
    description: SessionDescription | None, change: Callable[[Description], object]
) -> SessionDescription:
    parsed = parse(known(description).sdp)
    change(parsed)
    return SessionDescription(known(description).type, write(parsed))


def sample(name: str) -> SessionDescription:
    return SessionDescription("offer", (VECTORS / f"{name}.sdp").read_text())


def sections(negotiation: Negotiation) -> tuple[AgreedSection, ...]:
    return negotiation.agreement.sections if negotiation.agreement is not None else ()


def check_agreement(a: Negotiation, b: Negotiation) -> None:
    """Both ends are stable and mean the same, section by section."""
    assert (a.signaling_state, b.signaling_state) == ("stable", "stable")
    assert (a.agreement is None) == (b.agreement is None)
    if a.agreement is not None and b.agreement is not None:
        assert (a.agreement.sctp_port is None) == (b.agreement.sctp_port is None)
        assert a.agreement.mid == b.agreement.mid
    assert [s.index for s in sections(a)] == [s.index for s in sections(b)]
    for one, other in zip(sections(a), sections(b), strict=True):
        assert (one.mid, one.kind) == (other.mid, other.kind)
        assert one.direction == REVERSED[other.direction]
        for x, y in ((one, other), (other, one)):
            check_way(x, y)
    for end in (a, b):
        owners = [section.transceiver for section in sections(end)]
        assert [one for one in end.transceivers if one.mid is not None] == sorted(
            owners, key=end.transceivers.index
        )
        for section in sections(end):
            one = section.transceiver
            assert (one.mid, one.index) == (section.mid, section.index)
            assert one.current_direction == section.direction
            assert one.receiving == section.receive
        ssrcs = [
            ssrc for one in end.transceivers for e in one.encodings for ssrc in (e.ssrc, e.rtx_ssrc) if ssrc
        ]
        assert len(set(ssrcs)) == len(ssrcs)


def check_way(sender: AgreedSection, receiver: AgreedSection) -> None:
    """What `sender` may send is what `receiver` expects."""
    expected = {format.payload_type: format for format in receiver.formats}
    assert list(expected) == [format.payload_type for format in sender.send_formats]
    for format in sender.send_formats:
        assert format.codec.name == expected[format.payload_type].codec.name
        assert format.feedback == expected[format.payload_type].feedback
        assert format.rtx_payload_type == expected[format.payload_type].rtx_payload_type
    assert sender.extensions == receiver.extensions
    if not sender.send:
        assert receiver.sources == ()
        assert receiver.rids == ()
    elif sender.send_rids:
        assert receiver.rids == tuple(encoding.rid for encoding in sender.encodings)
    else:
        (encoding,) = sender.encodings
        rtx = encoding.rtx_ssrc if any(f.rtx_payload_type is not None for f in sender.send_formats) else None
        assert receiver.sources == ((encoding.ssrc, rtx),)
        assert receiver.rids == ()
