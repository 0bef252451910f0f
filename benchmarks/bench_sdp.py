"""Session descriptions: read, written, and agreed on, beside aiortc."""

from pathlib import Path

import pytest
from aiortc import sdp as aiortc_sdp

from rtcore.aiortc import sdp as rtcore_aiortc_sdp
from rtcore.sdp import Fingerprint, Negotiation, SessionDescription, parse, write

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "sdp"
STACKS = {
    "rtcore": (parse, write),
    "rtcore.aiortc": (rtcore_aiortc_sdp.SessionDescription.parse, str),
    "aiortc": (aiortc_sdp.SessionDescription.parse, str),
}
"""What reads a text, and what writes it."""
OFFER = (VECTORS / "chrome_av_data_offer.sdp").read_text()


def side(number: int) -> Negotiation:
    negotiation = Negotiation(
        session_id=number,
        fingerprints=(Fingerprint("sha-256", bytes([number] * 32)),),
        max_message_size=262144,
    )
    negotiation.begin_generation(f"ufrag{number}", f"password{number}ofthisgeneration")
    for kind in ("audio", "video"):
        negotiation.add_track(kind, kind, ["stream"])
    return negotiation


@pytest.mark.benchmark(group="sdp: read an offer of Chromium (audio, video, data)")
@pytest.mark.parametrize("stack", STACKS)
def test_parse(benchmark, stack: str) -> None:
    read, _ = STACKS[stack]
    assert len(benchmark(read, OFFER).media) == 3


@pytest.mark.benchmark(group="sdp: write an offer of Chromium (audio, video, data)")
@pytest.mark.parametrize("stack", STACKS)
def test_write(benchmark, stack: str) -> None:
    read, write = STACKS[stack]
    assert benchmark(write, read(OFFER)).count("m=") == 3


@pytest.mark.benchmark(group="sdp: answer an offer of Chromium (audio, video, data)")
def test_answer(benchmark) -> None:
    offer = SessionDescription("offer", OFFER)

    def answer() -> Negotiation:
        negotiation = side(1)
        negotiation.set_remote(offer)
        negotiation.set_local()
        return negotiation

    assert len(benchmark(answer).agreement.sections) == 2


@pytest.mark.benchmark(group="sdp: two ends agree (audio, video, data)")
def test_agree(benchmark) -> None:
    def agree() -> tuple[Negotiation, Negotiation]:
        a, b = side(1), side(2)
        a.want_data()
        a.set_local()
        b.set_remote(a.local)
        b.set_local()
        a.set_remote(b.local)
        return a, b

    a, b = benchmark(agree)
    assert len(a.agreement.sections) == len(b.agreement.sections) == 2
