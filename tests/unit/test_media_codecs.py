"""Encoders and decoders: what went in must come out, told by the number drawn into pictures and the pitch
of tones."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtcore.errors import CodecError
from rtcore.media import codecs
from rtcore.media.codecs import ffmpeg, libvpx, opus
from rtcore.media.codecs.base import Timeline
from rtcore.media.samples import Converter, level_of, to_frame
from rtcore.media.synthetic import frequency_of, picture, psnr, read_counter
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import RtpCodec

H264 = RtpCodec("video", "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1")
VIDEO = [
    RtpCodec("video", "VP8", 90000),
    RtpCodec("video", "VP9", 90000),
    H264,
    RtpCodec("video", "H265", 90000),
    RtpCodec("video", "AV1", 90000),
]
OPUS = RtpCodec("audio", "opus", 48000, 2, "minptime=10;useinbandfec=1")
AUDIO = [
    OPUS,
    RtpCodec("audio", "opus", 48000, 2, "stereo=1"),
    RtpCodec("audio", "PCMU", 8000),
    RtpCodec("audio", "PCMA", 8000),
    RtpCodec("audio", "G722", 8000),
    RtpCodec("audio", "L16", 44100, 2),
]


def name_of(codec: RtpCodec) -> str:
    return f"{codec.name} {codec.parameters}".strip()


def shot(number: int, width: int = 320, height: int = 192) -> av.VideoFrame:
    frame = picture(width, height, number)
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
    return frame


def tone(seconds: float, rate: int = 48000, channels: int = 1, frequency: float = 440) -> list[av.AudioFrame]:
    size = rate // 50
    time = np.arange(round(seconds * 50) * size) / rate
    wave = (np.sin(2 * np.pi * frequency * time) * 8000).astype(np.int16)
    samples = np.repeat(wave[:, None], channels, axis=1)
    return [to_frame(samples[at : at + size], rate, at) for at in range(0, len(samples), size)]


def samples_of(frames: list[av.AudioFrame], channels: int) -> np.ndarray:
    converter = Converter(frames[0].sample_rate, channels)
    return np.concatenate([converter.convert(frame) for frame in frames])


def all_of(encoder: codecs.Encoder, frames: list[av.AudioFrame]) -> list[EncodedFrame]:
    return [encoded for frame in frames for encoded in encoder.encode(frame)]


@pytest.mark.parametrize("codec", VIDEO, ids=name_of)
def test_pictures_come_out_in_order_and_alike(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec, bitrate=1_000_000) as encoder, codecs.create_decoder(codec) as decoder:
        for number in range(20):
            source = shot(number)
            (encoded,) = encoder.encode(source)
            assert encoded.codec == codec.name
            assert encoded.key == (number == 0)
            assert (encoded.width, encoded.height) == (320, 192)
            assert encoded.timestamp == number * 3000
            (decoded,) = decoder.decode(encoded)
            assert decoded.pts == encoded.timestamp
            assert decoded.opaque is encoded
            assert read_counter(decoded) == number
            assert psnr(source, decoded) > 30


@pytest.mark.parametrize("codec", VIDEO, ids=name_of)
def test_a_key_frame_on_request_stands_alone(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec, bitrate=1_000_000) as encoder:
        keys = [bool(encoder.encode(shot(number), key=number == 7)[0].key) for number in range(7)]
        (encoded,) = encoder.encode(shot(7), key=True)
        assert keys == [True] + [False] * 6
        assert encoded.key
        with codecs.create_decoder(codec) as decoder:
            (decoded,) = decoder.decode(encoded)
            assert read_counter(decoded) == 7


@pytest.mark.parametrize("codec", VIDEO[:3], ids=name_of)
def test_the_bitrate_changes_without_a_key_frame(codec: RtpCodec) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(-12, 12, (40, 288, 320), dtype=np.int16)
    with codecs.create_encoder(codec, bitrate=900_000) as encoder:
        sizes: list[list[int]] = [[], []]
        for number in range(240):
            base = shot(number).to_ndarray().astype(np.int16) + noise[number % 40]
            frame = av.VideoFrame.from_ndarray(np.clip(base, 0, 255).astype(np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            if number == 120:
                encoder.bitrate = 300_000
            made = encoder.encode(frame)
            assert [one.key for one in made if one.key] == ([True] if number == 0 else [])
            sizes[number // 120].append(sum(len(one) for one in made))
    first, second = (sum(part[60:]) * 8 / 2 for part in sizes)
    assert 700_000 < first < 1_150_000
    assert second < 450_000


@pytest.mark.parametrize("codec", VIDEO, ids=name_of)
def test_more_than_there_is_room_for(codec: RtpCodec) -> None:
    """Whoever sends feedback may say that everything arrived at once, and the bitrate follows."""
    with codecs.create_encoder(codec, bitrate=10**11) as encoder:
        assert encoder.bitrate == 100_000_000
        assert encoder.encode(shot(0))
        encoder.bitrate = 300_000
        assert encoder.encode(shot(1))
        encoder.bitrate = 10**11
        assert encoder.bitrate == 100_000_000
        assert encoder.encode(shot(2), key=True)[0].key


@pytest.mark.parametrize("codec", VIDEO[3:], ids=name_of)
def test_a_much_lower_bitrate_opens_another_encoder_without_a_gap(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec, bitrate=1_000_000) as encoder, codecs.create_decoder(codec) as decoder:
        keys = []
        for number in range(30):
            if number == 10:
                encoder.bitrate = 900_000  # not worth a key frame
            if number == 20:
                encoder.bitrate = 200_000
            (encoded,) = encoder.encode(shot(number))
            keys += [number] if encoded.key else []
            assert [read_counter(frame) for frame in decoder.decode(encoded)] == [number]
    assert keys == [0, 20]


@pytest.mark.parametrize("codec", VIDEO, ids=name_of)
def test_the_size_may_change(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec, bitrate=1_000_000) as encoder, codecs.create_decoder(codec) as decoder:
        for number, (width, height) in enumerate([(320, 192), (320, 192), (192, 320), (640, 360)]):
            (encoded,) = encoder.encode(shot(number, width, height))
            assert encoded.key == (number != 1)
            (decoded,) = decoder.decode(encoded)
            assert (decoded.width, decoded.height) == (width, height)
            assert read_counter(decoded) == number


@pytest.mark.parametrize("codec", VIDEO[:3], ids=name_of)
def test_pictures_are_scaled_and_odd_sizes_made_even(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec, scale=2) as encoder, codecs.create_decoder(codec) as decoder:
        (encoded,) = encoder.encode(shot(5, 646, 362).reformat(format="rgb24"))
        (decoded,) = decoder.decode(encoded)
        assert (decoded.width, decoded.height) == (322, 180)
        assert read_counter(decoded) == 5


@pytest.mark.parametrize("codec", VIDEO[:3], ids=name_of)
def test_the_callers_picture_stays_as_it_was(codec: RtpCodec) -> None:
    source = picture(320, 192, 1)
    source.pts, source.time_base = 40, Fraction(1, 1000)
    before = source.to_ndarray().copy()
    with codecs.create_encoder(codec) as encoder:
        encoder.encode(source, key=True)
    assert (source.pts, source.time_base, source.pict_type) == (40, Fraction(1, 1000), 0)
    assert np.array_equal(source.to_ndarray(), before)


@pytest.mark.parametrize(("rotation", "size"), [(90, (192, 320)), (180, (320, 192)), (270, (192, 320))])
def test_pictures_come_out_upright(rotation: int, size: tuple[int, int]) -> None:
    """The camera was turned: so is what it saw, and EncodedFrame.rotation turns it back."""
    pixels = picture(320, 192, 77).to_ndarray(format="rgb24")
    seen = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(pixels, rotation // 90)), format="rgb24")
    assert (seen.width, seen.height) == size
    seen.pts, seen.time_base = 0, Fraction(1, 90000)
    with codecs.create_encoder(VIDEO[0]) as encoder, codecs.create_decoder(VIDEO[0]) as decoder:
        (one,) = encoder.encode(seen)
        (decoded,) = decoder.decode(EncodedFrame(one, codec="VP8", timestamp=0, key=True, rotation=rotation))
    assert (decoded.width, decoded.height) == (320, 192)
    assert read_counter(decoded) == 77
    assert psnr(decoded, picture(320, 192, 77)) > 30


def test_a_frame_rate_is_kept_by_leaving_pictures_out() -> None:
    with codecs.create_encoder(VIDEO[0], max_frame_rate=10) as encoder:
        made = [number for number in range(30) if encoder.encode(shot(number))]
    assert made == list(range(0, 30, 3))


def test_temporal_layers_can_be_left_out() -> None:
    with codecs.create_encoder(VIDEO[0], bitrate=800_000, temporal_layers=3) as encoder:
        coded = [encoder.encode(shot(number))[0] for number in range(16)]
    assert [one.temporal for one in coded][:9] == [0, 2, 1, 2, 0, 2, 1, 2, 0]
    for highest, step in ((0, 4), (1, 2), (2, 1)):
        with codecs.create_decoder(VIDEO[0]) as decoder:
            seen = [
                read_counter(frame)
                for one in coded
                if one.temporal <= highest
                for frame in decoder.decode(one)
            ]
        assert seen == list(range(0, 16, step))


def test_every_encoder_of_ffmpeg_for_vp8_too() -> None:
    """Where libvpx itself cannot be called."""
    with codecs.create_encoder(VIDEO[0], library="libvpx") as encoder:
        assert isinstance(encoder, ffmpeg.Encoder)
        with codecs.create_decoder(VIDEO[0]) as decoder:
            (decoded,) = decoder.decode(encoder.encode(shot(3))[0])
            assert read_counter(decoded) == 3


def test_libvpx_is_borrowed() -> None:
    assert libvpx.available("VP8")
    assert libvpx.available("VP9")


def test_h264_is_of_the_profile_that_was_agreed() -> None:
    for level_id, profile in (("42e01f", 66), ("4d001f", 77), ("640c1f", 100)):
        codec = RtpCodec("video", "H264", 90000, 1, f"profile-level-id={level_id};packetization-mode=1")
        with codecs.create_encoder(codec) as encoder:
            data = bytes(encoder.encode(shot(0))[0])
        at = data.index(b"\0\0\1\x67")
        assert data[at + 4] == profile


def test_h264_slices_fit_into_packets_without_fragments() -> None:
    codec = RtpCodec("video", "H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=0")
    with codecs.create_encoder(codec, bitrate=3_000_000) as encoder:
        data = bytes(encoder.encode(shot(0, 640, 360))[0])
    units = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")[1:]]
    assert len(units) > 5
    assert max(len(unit) for unit in units) <= 1100


def test_encoders_that_work_here_can_be_listed() -> None:
    assert "libx264" in codecs.encoders("H264")
    assert codecs.encoders("nothing") == []


@pytest.mark.parametrize("codec", VIDEO, ids=name_of)
def test_rubbish_is_refused_and_a_key_frame_mends_it(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec) as encoder, codecs.create_decoder(codec) as decoder:
        decoder.decode(encoder.encode(shot(0))[0])
        rng = np.random.default_rng(5)
        for size in (1, 7, 100, 1000):
            rubbish = EncodedFrame(rng.bytes(size), codec=codec.name, timestamp=3000)
            try:
                decoder.decode(rubbish)
            except CodecError:
                continue
        decoded = [
            frame for number in (1, 2) for frame in decoder.decode(encoder.encode(shot(number), key=True)[0])
        ]
        assert read_counter(decoded[-1]) == 2


@pytest.mark.parametrize("codec", AUDIO, ids=name_of)
def test_tones_keep_pitch_and_length(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec) as encoder, codecs.create_decoder(codec) as decoder:
        coded = all_of(encoder, tone(1.0, channels=2))
        frames = [frame for one in coded for frame in decoder.decode(one)]
    channels = 2 if "stereo" in codec.parameters or codec.name == "L16" else 1
    samples = samples_of(frames, channels)
    rate = frames[0].sample_rate
    assert frames[0].layout.nb_channels == channels
    assert 0.95 < len(samples) / rate < 1.01
    assert abs(frequency_of(samples[rate // 4 :], rate) - 440) < 2
    assert [one.timestamp - coded[0].timestamp for one in coded] == [
        index * coded[0].duration for index in range(len(coded))
    ]
    assert coded[0].duration == codec.clock_rate // 50
    assert [frame.pts - frames[0].pts for frame in frames] == [
        index * (rate // 50) for index in range(len(frames))
    ]
    assert abs(coded[10].audio_level + 15) <= 2  # 8000 of 32768 is -12.2 dB, its mean power 3 less


def test_levels_are_dbov() -> None:
    assert level_of(np.zeros((160, 1), np.int16)) == -127
    assert level_of(np.full((160, 1), -32768, np.int16)) == 0
    assert level_of(np.full((160, 2), 0.1, np.float32)) == -20


def test_opus_frames_of_other_lengths() -> None:
    for frame_ms in (10, 40, 60):
        with codecs.create_encoder(OPUS, frame_ms=frame_ms) as encoder:
            coded = all_of(encoder, tone(0.24))
        assert [one.duration for one in coded] == [48 * frame_ms] * (240 // frame_ms)


def test_opus_bitrate_changes_while_it_runs() -> None:
    with codecs.create_encoder(OPUS, bitrate=20_000, vbr=False) as encoder:
        low = sum(len(one) for one in all_of(encoder, tone(1.0)))
        encoder.bitrate = 80_000
        high = sum(len(one) for one in all_of(encoder, tone(1.0)))
    assert low * 8 == pytest.approx(20_000, rel=0.1)
    assert high * 8 == pytest.approx(80_000, rel=0.1)


def test_opus_follows_what_the_other_end_asks_for() -> None:
    codec = RtpCodec("audio", "opus", 48000, 2, "stereo=1;maxaveragebitrate=40000;usedtx=1;ptime=40;cbr=1")
    with codecs.create_encoder(codec, bitrate=100_000) as encoder:
        assert isinstance(encoder, opus.Encoder)
        assert (encoder.bitrate, encoder.channels, encoder.frame_ms) == (40_000, 2, 40)
        sizes = {len(one) for one in all_of(encoder, tone(0.4))}
    assert sizes == {200}


def test_opus_says_nothing_in_silence_with_dtx() -> None:
    codec = RtpCodec("audio", "opus", 48000, 2, "usedtx=1")
    silence = [to_frame(np.zeros((960, 1), np.int16), 48000, 960 * at) for at in range(100)]
    with codecs.create_encoder(codec) as encoder:
        speaking = all_of(encoder, tone(0.2))
        quiet = [encoder.encode(frame) for frame in silence]
        assert len(speaking) == 10
    sent = [one for made in quiet for one in made]
    assert len(sent) < 40
    assert sent[-1].voice is False


def test_opus_recovers_a_lost_packet_from_the_next_one() -> None:
    """RFC 6716 section 2.1.7: a packet may repeat the one before at a lower bitrate."""
    rng = np.random.default_rng(1)
    count = 60
    time = np.arange(count * 960) / 48000
    pitch = 120 + 40 * np.sin(2 * np.pi * 1.5 * time)
    voice = sum(
        np.sin(2 * np.pi * np.cumsum(pitch) / 48000 * harmonic) / harmonic for harmonic in range(1, 12)
    )
    voice = (voice * 4000 * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) + rng.normal(0, 50, len(time))).astype(
        np.int16
    )
    frames = [to_frame(voice[at : at + 960, None], 48000, at) for at in range(0, len(voice), 960)]
    errors = {}
    for fec in (True, False):
        with codecs.create_encoder(OPUS, bitrate=24_000, fec=fec, packet_loss=30) as encoder:
            coded = all_of(encoder, frames)
        whole, lossy = opus.Decoder(OPUS), opus.Decoder(OPUS)
        reference = samples_of([made for one in coded for made in whole.decode(one)], 1)
        made = []
        for index, one in enumerate(coded):
            if index % 6 == 5:
                one = EncodedFrame(
                    b"", codec="opus", timestamp=one.timestamp, duration=one.duration, lost=True
                )
            made += lossy.decode(one)
        got = samples_of(made, 1)
        assert lossy.concealed_samples == count // 6 * 960
        length = min(len(got), len(reference))
        assert length >= (count - 1) * 960
        lost = [slice(index * 960, index * 960 + 960) for index in range(5, count - 1, 6)]
        errors[fec] = np.mean([np.mean((got[at].astype(float) - reference[at]) ** 2) for at in lost])
        whole.close()
        lossy.close()
    assert errors[True] < 0.5 * errors[False]


@pytest.mark.parametrize("codec", [AUDIO[0], AUDIO[2], AUDIO[4]], ids=name_of)
def test_losses_are_concealed_at_the_pitch(codec: RtpCodec) -> None:
    with codecs.create_encoder(codec) as encoder, codecs.create_decoder(codec) as decoder:
        frames = []
        coded = all_of(encoder, tone(0.6))
        for index, one in enumerate(coded):
            if index in (20, 21):
                one = EncodedFrame(
                    b"", codec=codec.name, timestamp=one.timestamp, duration=one.duration, lost=True
                )
            frames += decoder.decode(one)
    samples = samples_of(frames, 1)
    rate = frames[0].sample_rate
    assert len(samples) == len(coded) * rate // 50
    hole = samples[20 * rate // 50 : 22 * rate // 50]
    assert level_of(hole) > -24  # -15 before
    assert abs(frequency_of(hole, rate) - 440) < 25


@pytest.mark.parametrize("codec", [AUDIO[0], AUDIO[2]], ids=name_of)
def test_time_in_which_nothing_comes_is_bridged_at_once(codec: RtpCodec) -> None:
    """The jitter buffer's frames that are lost, without duration: what was late is played after all."""
    with codecs.create_encoder(codec) as encoder, codecs.create_decoder(codec) as decoder:
        made = []
        coded = all_of(encoder, tone(0.4))
        for index, one in enumerate(coded):
            if index == 10:
                waiting = EncodedFrame(
                    b"",
                    codec=codec.name,
                    timestamp=one.timestamp,
                    duration=0,
                    stretch=one.duration,
                    lost=True,
                )
                bridged = decoder.decode(waiting)
                assert sum(frame.samples for frame in bridged) == bridged[0].sample_rate // 50
                made += bridged
            made += decoder.decode(one)
    rate = made[0].sample_rate
    assert sum(frame.samples for frame in made) == (len(coded) + 1) * rate // 50
    assert level_of(samples_of(made, 1)[10 * rate // 50 : 11 * rate // 50]) > -24


@pytest.mark.parametrize("change", [-240, 240])
def test_stretched_sound_is_longer_or_shorter_at_the_same_pitch(change: int) -> None:
    with codecs.create_encoder(OPUS) as encoder, codecs.create_decoder(OPUS) as decoder:
        coded = all_of(encoder, tone(1.0))
        frames = []
        for one in coded:
            wanted = EncodedFrame(
                one, codec="opus", timestamp=one.timestamp, duration=one.duration, stretch=change
            )
            frames += decoder.decode(wanted)
    samples = samples_of(frames, 1)
    assert len(samples) - 48000 == pytest.approx(50 * change, rel=0.3)
    assert abs(frequency_of(samples, 48000) - 440) < 3
    assert [frame.pts for frame in frames] == list(np.cumsum([0] + [frame.samples for frame in frames[:-1]]))


def test_a_gap_in_the_source_is_a_gap_in_time() -> None:
    frames = tone(0.2)
    for frame in frames[5:]:
        frame.pts += 48000
    with codecs.create_encoder(OPUS) as encoder:
        stamps = [one.timestamp for one in all_of(encoder, frames)]
    assert stamps[4] == 4 * 960
    assert stamps[5] == 5 * 960 + 48000


@given(
    st.lists(
        st.tuples(st.integers(-(10**6), 10**6) | st.none(), st.integers(1, 1000)), min_size=1, max_size=50
    )
)
@settings(max_examples=200, deadline=None)
def test_timestamps_only_go_forward(moments: list[tuple[int | None, int]]) -> None:
    timeline = Timeline(90000)
    last = -1
    for pts, rate in moments:
        ticks = timeline.at(pts, Fraction(1, rate), 3000)
        assert ticks > last
        last = ticks


def test_what_is_not_there_is_said() -> None:
    unknown = RtpCodec("video", "H261", 90000)
    assert not codecs.can_encode(unknown)
    assert not codecs.can_decode(unknown)
    with pytest.raises(ValueError, match="no encoder"):
        codecs.create_encoder(unknown)
    with pytest.raises(ValueError, match="no decoder"):
        codecs.create_decoder(unknown)
    assert not codecs.can_encode(RtpCodec("video", "VP9", 90000, 1, "profile-id=2"))
    with pytest.raises(TypeError):
        codecs.create_encoder(OPUS, speed=3)
    with pytest.raises(ValueError, match="application"):
        codecs.create_encoder(OPUS, application="radio")
    with pytest.raises(ValueError, match="scale"):
        codecs.create_encoder(H264, scale=0.5)
    with pytest.raises(ValueError, match="temporal"):
        codecs.create_encoder(VIDEO[1], temporal_layers=2)
    with codecs.create_encoder(H264) as encoder, pytest.raises(TypeError):
        encoder.encode(tone(0.02)[0])
    with codecs.create_encoder(OPUS) as encoder, pytest.raises(TypeError):
        encoder.encode(shot(0))


@pytest.mark.parametrize("codec", VIDEO + AUDIO, ids=name_of)
def test_closing_twice_is_once(codec: RtpCodec) -> None:
    encoder, decoder = codecs.create_encoder(codec), codecs.create_decoder(codec)
    for _ in range(2):
        encoder.close()
        decoder.close()
