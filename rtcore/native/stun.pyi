"""STUN messages (RFC 8489) with the attributes of ICE (RFC 8445): parse, verify, build."""

import enum
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, final

from typing_extensions import Buffer

Kind: TypeAlias = Literal["request", "indication", "success", "error"]
Algorithm: TypeAlias = Literal["sha1", "sha256"]

class Attribute(enum.IntEnum):
    """Attribute types; those below 0x8000 must be understood by the receiver."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    PASSWORD_ALGORITHMS = 0x8002
    ALTERNATE_DOMAIN = 0x8003
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A

def is_stun(data: Buffer) -> bool:
    """Whether a datagram is a STUN message by its first byte, magic cookie and length."""

def transaction_id() -> bytes:
    """Twelve random bytes."""

@final
class Key:
    """A password ready for MESSAGE-INTEGRITY. Not to be used by two threads at once."""

    def __init__(self, password: str | Buffer) -> None:
        """From the short-term password: str (as UTF-8) or bytes."""
    @staticmethod
    def long_term(
        user: str | Buffer,
        realm: str | Buffer,
        password: str | Buffer,
        *,
        algorithm: Literal["md5", "sha256"] = "md5",
    ) -> Key:
        """The key of the long-term mechanism (RFC 8489 section 9.2.2), `algorithm` "md5" or "sha256"."""

@final
class Message:
    """A parsed STUN message, immutable. Its grammar and fingerprint are good; integrity is for `verify()`."""

    @staticmethod
    def parse(data: Buffer) -> Message:
        """Reads one datagram. `ValueError` when it is malformed or its FINGERPRINT does not match."""
    def verify(self, key: Key | str | Buffer, algorithm: Algorithm = "sha1") -> bool:
        """Whether MESSAGE-INTEGRITY ("sha1") or -SHA256 ("sha256") is there and right.

        `key` is a `Key`, or a password.
        """
    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def kind(self) -> Kind:
        """'request', 'indication', 'success' or 'error'."""
    @property
    def method(self) -> int:
        """1 for Binding."""
    @property
    def transaction_id(self) -> bytes:
        """Twelve bytes."""
    @property
    def username(self) -> bytes | None:
        """USERNAME as bytes, None when absent."""
    @property
    def realm(self) -> bytes | None:
        """REALM as bytes, None when absent."""
    @property
    def nonce(self) -> bytes | None:
        """NONCE as bytes, None when absent."""
    @property
    def software(self) -> str | None:
        """SOFTWARE as text, None when absent."""
    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """(host, port) of XOR-MAPPED-ADDRESS, else of MAPPED-ADDRESS; None when absent."""
    @property
    def alternate_server(self) -> tuple[str, int] | None:
        """(host, port) of ALTERNATE-SERVER, None when absent."""
    @property
    def error(self) -> tuple[int, str] | None:
        """(code, reason) of ERROR-CODE, None when absent."""
    @property
    def priority(self) -> int | None:
        """PRIORITY, None when absent."""
    @property
    def use_candidate(self) -> bool:
        """Whether USE-CANDIDATE is there."""
    @property
    def ice_controlling(self) -> int | None:
        """Tie breaker of ICE-CONTROLLING, None when absent."""
    @property
    def ice_controlled(self) -> int | None:
        """Tie breaker of ICE-CONTROLLED, None when absent."""
    @property
    def has_fingerprint(self) -> bool:
        """Whether FINGERPRINT is there; it is right then."""
    @property
    def unknown_attributes(self) -> tuple[int, ...]:
        """Types that must be understood and are not (the first 16): a request with some deserves a 420."""
    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """All attributes in their order, as (type, value)."""

def build(
    kind: Kind,
    transaction: Buffer,
    attributes: Iterable[tuple[int, Any]] = (),
    *,
    method: int = 1,
    key: Key | str | Buffer | None = None,
    algorithms: Iterable[Algorithm] = ("sha1",),
    fingerprint: bool = True,
) -> bytes:
    """Writes a message of at most 2048 bytes.

    `attributes` are (type, value) in their order: (host, port) for the address attributes, int for PRIORITY
    and the tie breakers, (code, reason) for ERROR-CODE, a list of types for UNKNOWN-ATTRIBUTES, anything for
    USE-CANDIDATE, str or bytes for all others. With a `key` (a `Key` or a password) the message is signed
    with each of `algorithms`. `ValueError` for values that do not fit.
    """
