"""What the demo prints and plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from . import demo_data, demo_media

__all__ = ["plot", "print_table"]


def print_table(
    console: Console,
    clip: demo_media.Clip,
    source: demo_data.Source,
    media: demo_media.Report,
    data: demo_data.Report,
) -> None:
    table = Table(title="rtcore demo", show_header=False, title_justify="left")
    for name, value in (*_connection_rows(data), *_media_rows(clip, media), *_data_rows(source, data)):
        table.add_row(name, value)
    console.print(table)
    console.print(f"recording: {media.recording}")


def _connection_rows(data: demo_data.Report) -> Iterator[tuple[str, str]]:
    transport = next(s for s in data.stats.values() if s["type"] == "transport")
    pair = data.stats[transport["selectedCandidatePairId"]]
    local, remote = data.stats[pair["localCandidateId"]], data.stats[pair["remoteCandidateId"]]
    yield "set-up, offer to open channel", f"{data.set_up * 1e3:.1f} ms"
    yield (
        "selected pair",
        " <-> ".join(f"{c['candidateType']} {c['address']}:{c['port']}" for c in (local, remote)),
    )
    yield "DTLS", f"{transport['dtlsCipher']}"
    yield "SRTP", f"{transport['srtpCipher']}"


def _media_rows(clip: demo_media.Clip, media: demo_media.Report) -> Iterator[tuple[str, str]]:
    verdict = media.verdict
    yield "media", f"{clip.name}: " + ("arrived whole" if verdict.good else "did NOT arrive as it was sent")
    if verdict.frames_sent:
        yield (
            "pictures",
            f"{verdict.frames_recorded} of {verdict.frames_sent} recorded, PSNR "
            + _percentiles(verdict.psnr, "{:.1f}", "dB", (0.5, 0.1)),
        )
    if verdict.level_sent is not None and verdict.level_recorded is not None:
        yield "sound", f"{verdict.level_recorded:.1f} dBFS recorded, {verdict.level_sent:.1f} dBFS sent"
    rates = [sample["bitrate"] / 1e3 for sample in media.received]
    if rates:
        yield "bitrate received", _percentiles(rates, "{:,.0f}", "kbit/s", (0.5, 1.0))
    if media.received:
        last = media.received[-1]
        total = last["packets"] + last["lost"]
        yield "packets lost", f"{last['lost']:,} of {total:,}"
        yield "jitter", ", ".join(f"{kind} {value * 1e3:.2f} ms" for kind, value in last["jitter"].items())
    trips = [sample["round_trip"] * 1e3 for sample in media.sent if "round_trip" in sample]
    if trips:
        yield "round trip, as reports tell", _percentiles(trips, "{:.2f}", "ms", (0.5, 0.99))
    for kind, delays in media.delays.items():
        yield (
            f"{kind}, capture to decoder",
            _percentiles([delay * 1e3 for delay in delays], "{:.1f}", "ms", (0.5, 0.9, 0.99)),
        )


def _data_rows(source: demo_data.Source, data: demo_data.Report) -> Iterator[tuple[str, str]]:
    association = next(s for s in data.stats.values() if s["type"] == "sctp-transport")
    yield (
        "file",
        f"{source.name}, {data.size / 1e6:.1f} MB, "
        + ("SHA-256 verified" if data.verified else "NOT what was sent"),
    )
    yield "throughput", f"{data.size * 8 / data.file_time / 1e6:,.0f} Mbit/s"
    if data.size:
        yield "CPU, both processes", f"{data.file_cpu / data.size * 1e9:.2f} s per GB"
    yield f"{demo_data.SMALL_SIZE}-byte messages", f"{data.small_count / data.small_time:,.0f} per second"
    trips = [trip * 1e6 for trip in data.round_trips]
    yield (
        f"round trip of {demo_data.SMALL_SIZE} bytes",
        _percentiles(trips, "{:.0f}", "us", (0.5, 0.9, 0.99)),
    )
    yield "chunks retransmitted", f"{association['chunksRetransmitted']:,}"


def _percentiles(values: Sequence[float], form: str, unit: str, shares: Sequence[float]) -> str:
    if not values:
        return "nothing"
    names = {0.5: "p50", 0.1: "p10", 0.9: "p90", 0.99: "p99", 1.0: "most"}
    return ", ".join(f"{names[s]} {form.format(np.quantile(values, s))}" for s in shares) + f" {unit}"


def plot(console: Console, media: demo_media.Report, path: Path) -> None:
    """Bitrate, delay of the jitter buffer and round trip over time, if there is matplotlib."""
    try:
        import matplotlib
    except ImportError:
        console.print("no plot: pip install 'rtcore\\[plot]'")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, sharex=True, figsize=(8, 7), layout="constrained")
    _line(axes[0], media.received, "bitrate", 1e-3, "received")
    _line(axes[0], media.sent, "target", 1e-3, "target of the encoders")
    axes[0].set_ylabel("kbit/s")
    for kind in ("audio", "video"):
        _line(axes[1], media.received, f"{kind}_buffer", 1e3, kind)
    axes[1].set_ylabel("jitter buffer, ms")
    _line(axes[2], media.sent, "round_trip", 1e3, "")
    axes[2].set_ylabel("round trip, ms")
    axes[2].set_xlabel("seconds")
    for each in axes:
        each.set_ylim(bottom=0)
        each.grid(alpha=0.3)
    for each in axes[:2]:
        each.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    console.print(f"plot: {path}")


def _line(axis: Any, samples: Sequence[dict[str, Any]], name: str, scale: float, label: str) -> None:
    points = [(sample["time"], sample[name] * scale) for sample in samples if name in sample]
    if points:
        axis.plot(*zip(*points, strict=True), label=label)
