"""Opus (RFC 6716, RFC 7587): the bitrate changes from packet to packet, silence is not sent where both ends
want that, and a lost packet is decoded from the redundancy of the next one if it has any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from rtcore.native.frame import EncodedFrame

from ..samples import Samples
from . import libopus
from .audio import AudioDecoder, AudioEncoder, number

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["Decoder", "Encoder"]

DTX_PACKET = 2  # bytes: so short is only what says that nothing need be sent
QUANTUM = 120  # samples: 2.5 ms, what may be concealed at once is a multiple of it


class Encoder(AudioEncoder):
    """Options: `frame_ms` (20; else ptime of the other end), `channels` (2 if it wants stereo), `fec` (if
    it wants useinbandfec), `dtx` (if it wants usedtx), `application` ("voip", "audio", "lowdelay"),
    `complexity` (0 to 10), `packet_loss` (percent expected, which sets how much redundancy there is),
    `vbr`."""

    def __init__(
        self,
        codec: RtpCodec,
        *,
        bitrate: int | None = None,
        frame_ms: float | None = None,
        channels: int | None = None,
        fec: bool | None = None,
        dtx: bool | None = None,
        application: str = "voip",
        complexity: int = 9,
        packet_loss: int = 10,
        vbr: bool = True,
    ) -> None:
        if application not in libopus.APPLICATIONS:
            raise ValueError(
                f"application must be one of {', '.join(libopus.APPLICATIONS)}, not {application!r}"
            )
        channels = channels or (2 if number(codec, "stereo", 0) else 1)
        super().__init__(
            codec, rate=libopus.RATE, channels=channels, frame_ms=frame_ms or number(codec, "ptime", 20)
        )
        self._limit = number(codec, "maxaveragebitrate", 510_000)
        self._opus = libopus.OpusEncoder(channels, application)
        self._silent = False
        self._dtx = bool(number(codec, "usedtx", 0)) if dtx is None else dtx
        fec = bool(number(codec, "useinbandfec", 0)) if fec is None else fec
        vbr = vbr and not number(codec, "cbr", 0)
        self._opus.control(libopus.SET_COMPLEXITY, complexity, "complexity")
        self._opus.control(libopus.SET_INBAND_FEC, int(fec), "fec")
        self._opus.control(libopus.SET_DTX, int(self._dtx), "dtx")
        self._opus.control(libopus.SET_VBR, int(vbr), "vbr")
        playback = number(codec, "maxplaybackrate", 48000)
        bandwidth = next(band for rate, band in (*libopus.BANDWIDTHS, (playback, 1105)) if rate >= playback)
        self._opus.control(libopus.SET_MAX_BANDWIDTH, bandwidth, "maxplaybackrate")
        self.packet_loss = packet_loss
        self._bitrate = 0
        self.bitrate = bitrate or (64_000 if channels == 2 else 32_000)

    @property
    def bitrate(self) -> int:
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        self._bitrate = max(6000, min(bitrate, self._limit, 510_000))
        self._opus.control(libopus.SET_BITRATE, self._bitrate, "bitrate")

    @property
    def packet_loss(self) -> int:
        """Percent of the packets that are expected to be lost: more make more redundancy."""
        return self._packet_loss

    @packet_loss.setter
    def packet_loss(self, percent: int) -> None:
        self._opus.control(libopus.SET_PACKET_LOSS, percent, "packet_loss")
        self._packet_loss = percent

    def _encode(self, samples: Samples) -> tuple[bytes | None, bool | None]:
        packet = self._opus.encode(cast(NDArray[np.int16], samples))
        silent = self._dtx and len(packet) <= DTX_PACKET
        skip = (
            silent and self._silent
        )  # the first one is sent: so the other end knows that there will be none
        self._silent = silent
        return (None if skip else packet), (False if silent else None)

    def close(self) -> None:
        self._opus.close()


class Decoder(AudioDecoder):
    """Option: `channels`, 1 or 2, for always so many; else stereo from the first stereo packet on, and mono
    before.

    A loss after packets of the kind that may carry redundancy waits for the next packet, which may repeat
    it; so the frames of both come at once. Only the last packet lost can be repeated: those before are
    concealed.
    """

    conceals = True

    def __init__(self, codec: RtpCodec, channels: int | None = None) -> None:
        super().__init__(codec, rate=libopus.RATE)
        if channels not in (None, 1, 2):
            raise ValueError(f"channels must be 1 or 2, not {channels!r}")
        self._opus = libopus.OpusDecoder(channels or 1)
        self._follows = channels is None  # the packets, in how many channels there are
        self._waiting = 0  # samples lost, for which the next packet may have redundancy
        self._may_repeat = False
        self.recovered_samples = 0
        """How many samples of lost packets came from the redundancy of the next."""

    def _decode(self, frame: EncodedFrame) -> Samples:
        data = frame.data
        if not len(data):
            return self._opus.conceal(self._quantized(frame.duration or 960))
        if self._follows and self._opus.channels == 1 and libopus.is_stereo(data):
            self._opus.close()
            self._opus = libopus.OpusDecoder(2)
        packet = bytes(data)
        parts = []
        if self._waiting:
            parts.append(self._opus.redundant(packet, self._waiting))
            if libopus.uses_silk(data):
                self.recovered_samples += self._waiting
            self._waiting = 0
        parts.append(self._opus.decode(packet))
        self._may_repeat = libopus.uses_silk(data)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _conceal(self, count: int) -> Samples | None:
        count = self._quantized(count)
        waited, self._waiting = self._waiting, 0
        if self._may_repeat and not waited:
            self._waiting = count
            return None
        made = [self._opus.conceal(waited)] if waited else []
        if self._may_repeat:
            self._waiting = count  # two in a row: the first will not be repeated any more
        else:
            made.append(self._opus.conceal(count))
        return np.concatenate(made)

    def _bridge(self, count: int) -> Samples:
        """No packet was lost yet, so the next has nothing to repeat of this time."""
        waited, self._waiting = self._waiting, 0
        return self._opus.conceal(waited + self._quantized(count))

    def _quantized(self, count: int) -> int:
        return max(QUANTUM, min(count - count % QUANTUM, libopus.MAX_SAMPLES))

    def close(self) -> None:
        self._opus.close()
