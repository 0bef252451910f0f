"""Host names to addresses, by the event loop's resolver: STUN servers, and candidates that hide an address
behind a multicast DNS name (RFC 8828), where the system resolves those."""

import asyncio
import socket

__all__ = ["resolve"]

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
