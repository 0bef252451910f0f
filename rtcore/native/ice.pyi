"""ICE: candidates as values, and the agent (RFC 8445) sans-IO."""

from collections.abc import Iterable
from typing import final

@final
class Candidate:
    """One ICE candidate, immutable, with the fields of RFC 8839 section 5.1 and the W3C's RTCIceCandidate.

    `address` is numeric in canonical form, or a host name (`is_mdns` tells names of RFC 8828). `extensions`
    holds the attributes that have no field of their own, as (name, value) pairs in their order.
    `ValueError` for anything that the grammar does not allow, `TypeError` for the wrong Python type.
    """

    def __init__(
        self,
        foundation: str,
        component: int,
        transport: str,
        priority: int,
        address: str,
        port: int,
        type: str,
        *,
        related_address: str | None = None,
        related_port: int | None = None,
        tcp_type: str | None = None,
        generation: int | None = None,
        ufrag: str | None = None,
        extensions: Iterable[tuple[str, str]] = (),
    ) -> None: ...
    @staticmethod
    def from_sdp(text: str) -> Candidate:
        """Parses "candidate:...", with or without "a=" before or the trailing end of line.

        Unknown extension attributes are kept; host names are accepted (RFC 8839 section 5.1).
        """
    def to_sdp(self) -> str:
        """The value of an a=candidate line, beginning with "candidate:"."""
    @property
    def foundation(self) -> str: ...
    @property
    def component(self) -> int: ...
    @property
    def transport(self) -> str:
        """'udp' or 'tcp'."""
    @property
    def protocol(self) -> str:
        """The same as `transport`, under the W3C's name."""
    @property
    def priority(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def ip(self) -> str:
        """The same as `address`."""
    @property
    def port(self) -> int: ...
    @property
    def type(self) -> str:
        """'host', 'srflx', 'prflx' or 'relay'."""
    @property
    def related_address(self) -> str | None: ...
    @property
    def related_port(self) -> int | None: ...
    @property
    def tcp_type(self) -> str | None:
        """'active', 'passive' or 'so' (RFC 6544); None for UDP."""
    @property
    def generation(self) -> int | None: ...
    @property
    def ufrag(self) -> str | None: ...
    @property
    def extensions(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def is_mdns(self) -> bool:
        """Whether the address is a multicast DNS name, which hides a host's address."""
    @property
    def is_numeric(self) -> bool:
        """Whether the address is an IP address rather than a name."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
