"""WebRTC for Python on a native core."""
