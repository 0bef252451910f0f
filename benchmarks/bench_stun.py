"""STUN: parse, verify and build a connectivity check and its answer, beside aioice's codec."""

from collections.abc import Callable
from typing import Any

import aioice.stun
import pytest

from rtcore.native.stun import Attribute, Key, Message, build

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = b"transaction."
MAPPED = ("192.0.2.1", 32853)
CHECK = build(
    "request",
    TRANSACTION,
    [
        (Attribute.USERNAME, "evtj:h6vY"),
        (Attribute.PRIORITY, 0x6E0001FF),
        (Attribute.ICE_CONTROLLING, 0x932FF9B151263B36),
        (Attribute.USE_CANDIDATE, None),
    ],
    key=PASSWORD,
)


class Rtcore:
    def __init__(self) -> None:
        self.key = Key(PASSWORD)

    def parse(self) -> Message:
        return Message.parse(CHECK)

    def verify(self) -> bool:
        return Message.parse(CHECK).verify(self.key)

    def answer(self) -> bytes:
        return build("success", TRANSACTION, [(Attribute.XOR_MAPPED_ADDRESS, MAPPED)], key=self.key)


class Aioice:
    def __init__(self) -> None:
        self.key = PASSWORD.encode()

    def parse(self) -> Any:
        return aioice.stun.parse_message(CHECK)

    def verify(self) -> bool:
        return aioice.stun.parse_message(CHECK).check_message_integrity(self.key)

    def answer(self) -> bytes:
        message = aioice.stun.Message(
            aioice.stun.Method.BINDING,
            aioice.stun.Class.RESPONSE,
            TRANSACTION,
            {"XOR-MAPPED-ADDRESS": MAPPED},
        )
        message.add_message_integrity(self.key)
        return bytes(message)


@pytest.mark.parametrize("codec", [Rtcore, Aioice], ids=["rtcore", "aioice"])
@pytest.mark.parametrize("what", ["parse", "verify", "answer"])
def test_stun(benchmark: Any, codec: Callable[[], Any], what: str) -> None:
    benchmark.group = f"stun: {what}"
    assert benchmark(getattr(codec(), what))
