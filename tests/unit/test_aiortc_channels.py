"""`rtcore.aiortc` data channels, each script run on aiortc as well, and on both together."""

from typing import Any

from aiortc_sides import connect, live, paired, peer, until


@paired
@live
async def test_messages_are_echoed(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    channel = one.createDataChannel("chat", protocol="echo")
    heard: list[Any] = []

    @other.on("datachannel")
    def arrived(theirs: Any) -> None:
        assert (theirs.label, theirs.protocol, theirs.readyState) == ("chat", "echo", "open")

        @theirs.on("message")
        def echo(message: Any) -> None:
            theirs.send(message)

    @channel.on("open")
    def opened() -> None:
        for message in ("text", b"bytes", "", b"", "\u00e4\u20ac"):
            channel.send(message)

    channel.on("message", heard.append)
    await connect(sides, one, other)
    await until(lambda: len(heard) == 5)
    assert heard == ["text", b"bytes", "", b"", "\u00e4\u20ac"]
    assert channel.bufferedAmount == 0
    await one.close()
    await until(lambda: other.connectionState == "closed")
    assert channel.readyState == "closed"
    await other.close()
