"""The one measure that all pair programs share."""


def percentile(times: list[float], fraction: float) -> float:
    return sorted(times)[int(len(times) * fraction)]
