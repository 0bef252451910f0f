"""Host names to addresses, by the event loop's resolver: STUN servers, and candidates that hide an address
behind a multicast DNS name (RFC 8828), where the system resolves those."""

import asyncio
import socket

from rtcore.native.ice import Candidate

__all__ = ["resolve", "resolve_candidate"]

TIMEOUT = 5.0


async def resolve(host: str, port: int) -> tuple[str, int] | None:
    """The first address of a name; None if it has none, or not in time. Link-local scopes are kept out."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError):
        return None
    for family, _, _, _, address in sorted(found, key=lambda entry: entry[0] != socket.AF_INET):
        if family in (socket.AF_INET, socket.AF_INET6) and "%" not in str(address[0]):
            return str(address[0]), int(address[1])
    return None


async def resolve_candidate(candidate: Candidate) -> Candidate | None:
    """The candidate with its name resolved, or None."""
    if candidate.is_numeric:
        return candidate
    address = await resolve(candidate.address, candidate.port)
    if address is None:
        return None
    return Candidate(
        candidate.foundation,
        candidate.component,
        candidate.transport,
        candidate.priority,
        address[0],
        candidate.port,
        candidate.type,
        tcp_type=candidate.tcp_type,
    )
