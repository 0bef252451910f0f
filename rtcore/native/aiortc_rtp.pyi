"""RTP packets as `rtcore.aiortc.rtp` has them: plain Python attributes, read and written in one call each."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from typing_extensions import Buffer

FIELD_NAMES: tuple[str, ...]

def unpack_elements(profile: int, content: Buffer) -> list[tuple[int, bytes]]:
    """[(id, content)] of the elements of an extension block (RFC 8285). `ValueError` if one leaves it."""

def pack_elements(elements: Sequence[tuple[int, Buffer]]) -> tuple[int, bytes]:
    """(profile, content) of the block (RFC 8285) of [(id, content)], in the two-byte form where an id or a
    size needs it; (0, b"") of none. `ValueError` for ids not from 1 to 255, contents over 255 bytes."""

class ExtensionIds:
    """Which id stands for which header extension. `FIELD_NAMES` are the attributes of what holds the
    values."""

    def __init__(self, kind: type) -> None:
        """`kind`: the class of what `get()` makes; an attribute that it does not set is the class's own."""

    def set_id(self, name: str, id: int) -> None:
        """From now on `id` (1 to 255; 0: none) stands for the extension of that name."""

    def get(self, extension_profile: int, extension_value: Buffer) -> Any:
        """The values of an extension block. `ValueError` for a malformed one."""

    def set(self, values: Any) -> tuple[int, bytes]:
        """(profile, content) of the extension block; (0, b"") without values."""

class PacketFields:
    """One packet. Its fields are any objects until `serialize()`.

    A subclass says with `_extensions` of which class the values of its header extensions are.
    """

    _extensions: ClassVar[type | None]

    payload_type: int
    marker: int
    sequence_number: int
    timestamp: int
    ssrc: int
    csrc: list[int]
    extensions: Any
    payload: bytes
    padding_size: int

    def __init__(
        self,
        payload_type: int = 0,
        marker: int = 0,
        sequence_number: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        payload: bytes = b"",
    ) -> None:
        """`csrc`, `extensions` and `padding_size` are those of a packet without any."""

    @classmethod
    def parse(cls, data: Buffer, extensions_map: Any | None = None) -> Self:
        """Reads one datagram. `ValueError` when it is malformed."""

    def serialize(self, extensions_map: Any | None = None) -> bytes:
        """The packet's bytes; its padding is zeros. `ValueError` for a value that does not fit its field."""
