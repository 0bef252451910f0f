"""Tones of a telephone's keys (RFC 4733), sent in the place of a sound: W3C RTCDTMFSender."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

from rtcore.emitter import Emitter
from rtcore.errors import InvalidStateError
from rtcore.native.frame import EncodedFrame

from .configuration import check_number

if TYPE_CHECKING:
    from .rtp_sender import RtpSender

__all__ = ["DtmfSender"]

EVENTS = {tone: number for number, tone in enumerate("0123456789*#ABCD")}
"""RFC 4733 section 3.2."""
PAUSE = 2.0
"""Seconds that a comma waits."""
STEP = 0.05
"""Seconds between packets of one tone (RFC 4733 section 2.5.1.2)."""
VOLUME = 10
END = 0x80
LAST_PACKETS = 3
"""The end is told so often, as nobody acknowledges it (RFC 4733 section 2.5.1.4)."""


class DtmfSender(Emitter):
    """Plays tones one after the other; the sender's track is not heard meanwhile.

    Event: "tonechange" passes each tone as it begins, and an empty text after the last.
    """

    _names: ClassVar[tuple[str, ...]] = ("tonechange",)

    def __init__(self, sender: RtpSender) -> None:
        super().__init__()
        self._sender = sender
        self._tones = ""
        self._duration = 0.1
        self._gap = 0.07
        self._task: asyncio.Task[None] | None = None

    @property
    def can_insert_dtmf(self) -> bool:
        """Whether the connection is up, the section sends, and "telephone-event" was negotiated."""
        return self._sender._tone_format() is not None

    @property
    def tone_buffer(self) -> str:
        """Those that are still to be played."""
        return self._tones

    def insert_dtmf(self, tones: str, *, duration: int = 100, inter_tone_gap: int = 70) -> None:
        """Plays `tones`, of "0123456789ABCD*#" in any case and the comma, a pause of two seconds, in the
        place of those that still wait; an empty text stops after the present one.

        duration: 40 to 6000, inter_tone_gap: 30 to 6000, both in milliseconds. `ValueError` for what is none
        of that, `TypeError` for what is no text or number, `InvalidStateError` if `can_insert_dtmf` is False.
        """
        if not isinstance(tones, str):
            raise TypeError(f"tones must be a str, not {tones!r}")
        wanted = tones.upper()
        if any(tone not in EVENTS and tone != "," for tone in wanted):
            raise ValueError(f"tones are of 0123456789ABCD*# and the comma, not {tones!r}")
        check_number("duration", duration, 40, 6000)
        check_number("inter_tone_gap", inter_tone_gap, 30, 6000)
        if not self.can_insert_dtmf:
            raise InvalidStateError("tones cannot be sent now")
        self._tones, self._duration, self._gap = wanted, duration / 1000, inter_tone_gap / 1000
        if wanted and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        try:
            while self._tones and self.can_insert_dtmf:
                tone, self._tones = self._tones[0], self._tones[1:]
                self._emit("tonechange", tone)
                if tone == ",":
                    await asyncio.sleep(PAUSE)
                else:
                    await self._tone(EVENTS[tone])
                    await asyncio.sleep(self._gap)
            self._tones = ""
            self._emit("tonechange", "")
        finally:
            self._task = None

    async def _tone(self, event: int) -> None:
        sender = self._sender
        begin = time.monotonic()
        start = sender._begin_tone(begin)
        try:
            end = begin + self._duration
            first = True
            while (now := time.monotonic()) < end:
                self._send(event, start, begin, max(now - begin, STEP), marker=first)
                first = False
                await asyncio.sleep(min(STEP, end - now))
            for _ in range(LAST_PACKETS):
                self._send(event, start, begin, self._duration, last=True)
        finally:
            sender._end_tone()

    def _send(
        self,
        event: int,
        start: int,
        begin: float,
        seconds: float,
        *,
        marker: bool = False,
        last: bool = False,
    ) -> None:
        """RFC 4733 section 2.3: event, end bit and volume, duration in units of the clock."""
        rate = self._sender._clock.rate
        duration = min(round(min(seconds, self._duration) * rate), 0xFFFF)
        data = bytes((event, (END if last else 0) | VOLUME)) + duration.to_bytes(2, "big")
        frame = EncodedFrame(data, codec="telephone-event", timestamp=start, duration=duration, marker=marker)
        self._sender._post_tone(frame, begin)

    def _stop(self) -> None:
        self._tones = ""
        if self._task is not None:
            self._task.cancel()
