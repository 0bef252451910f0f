"""A Streamlit script with streamlit-webrtc, which gives back what it hears and sees, changed."""

import av
import numpy as np
import processing
from streamlit_webrtc import WebRtcMode, webrtc_streamer


def video_frame_callback(frame):
    return av.VideoFrame.from_ndarray(processing.picture(frame.to_ndarray(format="rgb24")), format="rgb24")


def audio_frame_callback(frame):
    channels = len(frame.layout.channels)
    samples = processing.sound(frame.to_ndarray().reshape(-1, channels)[:, 0])
    changed = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None, :], layout=frame.layout.name)
    changed.sample_rate = frame.sample_rate
    return changed


webrtc_streamer(
    key="gives-back",
    mode=WebRtcMode.SENDRECV,
    rtc_configuration={"iceServers": []},
    media_stream_constraints={"video": {"width": 640, "height": 360}, "audio": True},
    video_frame_callback=video_frame_callback,
    audio_frame_callback=audio_frame_callback,
    async_processing=True,
    desired_playing_state=True,
)
