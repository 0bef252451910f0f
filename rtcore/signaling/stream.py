"""Signaling over any pair of asyncio streams: a pipe, a TCP or Unix connection, standard input and output.

One JSON object per line, in the shape that browsers use: `{"type": "offer", "sdp": ...}` for a description,
`{"candidate": ..., "sdpMid": ...}` for a candidate, `{"candidate": ""}` at the end of candidates. Other
objects pass through as dictionaries, so that a program's own words can travel beside them.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rtcore.connection import Candidate, CandidateEvent, SessionDescription

MAX_LINE = 1024 * 1024
"""The longest line accepted, bytes; a longer one ends the session with ValueError."""

Message = SessionDescription | Candidate | CandidateEvent | dict[str, Any] | None


class StreamSignaling:
    """Sends and receives descriptions, candidates and plain dictionaries over two streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Message) -> None:
        """Sends one message; None says that no more candidates will come."""
        self._writer.write(json.dumps(_to_json(message), separators=(",", ":")).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> Message:
        """The next message. `EOFError`: the other side is gone; `ValueError`: it sent no JSON object."""
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the signaling stream has ended")
        value = json.loads(line)
        if not isinstance(value, dict):
            raise ValueError(f"expected a JSON object, got {type(value).__name__}")
        return _from_json(value)

    def close(self) -> None:
        """Closes the writing side. Idempotent."""
        self._writer.close()


def _to_json(message: Message) -> dict[str, Any]:
    if message is None:
        return {"candidate": ""}
    if isinstance(message, SessionDescription):
        return {"type": message.type, "sdp": message.sdp}
    if isinstance(message, CandidateEvent):
        return message.to_dict()
    if isinstance(message, Candidate):
        return {"candidate": message.to_sdp(), "sdpMid": "0", "sdpMLineIndex": 0}
    return message


def _from_json(value: dict[str, Any]) -> Message:
    if "sdp" in value and "type" in value:
        return SessionDescription(type=value["type"], sdp=value["sdp"])
    if "candidate" in value:
        return Candidate.from_sdp(value["candidate"]) if value["candidate"] else None
    return value
