"""PyAV's FFmpeg as a WHIP publisher: `python -m benchmarks.peers.whip ADDRESS SECONDS FREQUENCY` sends
numbered pictures in H.264 and a tone in Opus, in real time.

FFmpeg built with GnuTLS makes itself a certificate on P-224, which no WebRTC stack needs to take (RFC 8827
section 6.5 names P-256): it gets one.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import content

FRAME_RATE = 30
RATE = 48000


def certificate(folder: Path) -> dict[str, str]:
    """The muxer's options that name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "publisher")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = {"cert_file": folder / "certificate.pem", "key_file": folder / "key.pem"}
    files["cert_file"].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files["key_file"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return {option: str(path) for option, path in files.items()}


def publish(address: str, seconds: float, frequency: float, options: dict[str, str]) -> None:
    with av.open(address, "w", format="whip", options=options) as output:
        video = output.add_stream("libx264", rate=FRAME_RATE)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "60"}
        audio = output.add_stream("libopus", rate=RATE)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "stereo"
        output.start_encoding()
        begin = time.monotonic()
        each = RATE // FRAME_RATE
        for number in range(round(seconds * FRAME_RATE)):
            picture = av.VideoFrame.from_ndarray(content.draw(number), format="rgb24")
            picture.pts = number
            output.mux(video.encode(picture))
            wave = np.repeat(content.tone(frequency, RATE, each * number, each), 2)
            sound = av.AudioFrame.from_ndarray(wave[None, :], layout="stereo")
            sound.sample_rate, sound.pts = RATE, each * number
            output.mux(audio.encode(sound))
            time.sleep(max(0, begin + number / FRAME_RATE - time.monotonic()))
        output.mux(video.encode())
        output.mux(audio.encode())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        publish(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), certificate(Path(folder)))
