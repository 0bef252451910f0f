"""What a connection is made with: checked once, at construction, so that errors show where they are made."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtcore.errors import NotSupportedError

__all__ = [
    "IceServer",
    "StunAddress",
    "check_bitrates",
    "check_number",
    "check_port_range",
    "check_texts",
    "stun_addresses",
]

_URL = re.compile(r"(stuns?|turns?):(?://)?(\[[0-9A-Fa-f:.]+\]|[^:?/\[\]\s]+)(?::(\d{1,5}))?(\?\S*)?")
STUN_PORT = 3478


@dataclass(slots=True, frozen=True)
class IceServer:
    """W3C RTCIceServer. `urls` is one URL or several (RFC 7064): "stun:stun.example.org:3478"."""

    urls: str | Sequence[str]
    username: str | None = None
    credential: str | None = None


@dataclass(slots=True, frozen=True)
class StunAddress:
    """Where a STUN server is: `host` may be a name."""

    url: str
    host: str
    port: int

    @property
    def numeric(self) -> bool:
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def stun_addresses(servers: Sequence[str | Mapping[str, object] | IceServer]) -> tuple[StunAddress, ...]:
    """The addresses in `ice_servers`. `ValueError` for what is no such URL, `NotSupportedError` for TURN and
    for STUN over TLS."""
    if isinstance(servers, str | Mapping | IceServer):
        raise TypeError("ice_servers is a sequence: put the server into a list")
    found: list[StunAddress] = []
    for server in servers:
        for url in _urls(server):
            match = _URL.fullmatch(url)
            if match is None:
                raise ValueError(f"expected stun:<host>[:<port>] (RFC 7064), got {url!r}")
            scheme, host, port, query = match.groups()
            if scheme != "stun":
                raise NotSupportedError(f"{url!r}: only stun: servers are supported as yet, not {scheme}:")
            if query:
                raise ValueError(f"a stun: URL has no query (RFC 7064): {url!r}")
            number = int(port) if port else STUN_PORT
            if not 0 < number < 65536:
                raise ValueError(f"expected a port from 1 to 65535 in {url!r}")
            found.append(StunAddress(url, host.strip("[]"), number))
    return tuple(found)


def check_number(what: str, value: float, least: float, most: float) -> None:
    """An int where the limits are, else a float, too."""
    kinds = (int,) if isinstance(least, int) else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{what} must be {'an int' if len(kinds) == 1 else 'a number'}, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{what} must be from {least} to {most}, not {value!r}")


def check_bitrates(least: int | None, start: int | None, most: int | None) -> None:
    """Each in bit/s, None where it is not said; what is said must be in this order."""
    told = [("min_bitrate", least), ("start_bitrate", start), ("max_bitrate", most)]
    before, limit = "", 1
    for what, value in told:
        if value is None:
            continue
        check_number(what, value, 1, 10**12)
        if value < limit:
            raise ValueError(f"{what} is {value}, less than {before} with {limit}")
        before, limit = what, value


def check_port_range(ports: tuple[int, int]) -> None:
    if not isinstance(ports, tuple | list) or len(ports) != 2:
        raise TypeError(f"port_range must be (first, last), not {ports!r}")
    check_number("port_range: first", ports[0], 1, 65535)
    check_number("port_range: last", ports[1], ports[0], 65535)


def check_texts(what: str, texts: Sequence[str]) -> None:
    """A single text would be taken letter by letter."""
    if isinstance(texts, str):
        raise TypeError(f"{what} is a sequence: put {texts!r} into a list")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{what}: expected a str, got {text!r}")


def _urls(server: object) -> Sequence[str]:
    if isinstance(server, str):
        return (server,)
    if isinstance(server, IceServer):
        urls: object = server.urls
    elif isinstance(server, Mapping):
        urls = server.get("urls")
    else:
        raise TypeError(f"an ICE server is a str, a mapping or an IceServer, not {type(server).__name__}")
    if isinstance(urls, str):
        return (urls,)
    if isinstance(urls, Sequence) and urls and all(isinstance(url, str) for url in urls):
        return urls
    raise ValueError(f'an ICE server has "urls", a str or a sequence of them; got {urls!r}')
