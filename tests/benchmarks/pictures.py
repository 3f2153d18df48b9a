"""Pictures: how latencies are distributed, and how many runs were finished in each second."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from tests.benchmarks.goals import ACCEPT, FINISHED, START, STATUS
from tests.benchmarks.samples import Samples
from tests.benchmarks.sides import (
    FLOOR,
    OURS,
    REUSED,
    SERVE_1,
    SERVE_10,
    STOCK,
    WORKER_1,
    WORKER_10,
)

SMOOTH_SECONDS = 5

COLOURS = {
    OURS: "tab:blue",
    REUSED: "tab:cyan",
    FLOOR: "tab:gray",
    SERVE_10: "tab:red",
    WORKER_10: "tab:orange",
    SERVE_1: "tab:purple",
    WORKER_1: "tab:brown",
}
LATENCIES = (ACCEPT, STATUS, START)


def draw(samples: Samples, path: Path) -> list[Path]:
    """Draw what was measured beside `path`, a file of samples."""
    drawn = []
    if latencies := [name for name in LATENCIES if name in samples.measures]:
        drawn.append(_latencies(samples, latencies, path.with_suffix(".latency.png")))
    if FINISHED in samples.measures:
        drawn.append(_finished(samples, path.with_suffix(".throughput.png")))
    return drawn


def _latencies(samples: Samples, names: list[str], path: Path) -> Path:
    figure, axes = plt.subplots(
        1,
        len(names),
        squeeze=False,
        sharey=True,
        figsize=(5 * len(names), 4.5),
        layout="constrained",
    )
    for axis, name in zip(axes[0], names, strict=True):
        measure = samples.measures[name]
        for side, found in measure.sides.items():
            axis.ecdf(found.values, label=side, color=COLOURS[side])
        axis.set(title=name, xscale="log", xlabel=measure.unit)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(visible=True, alpha=0.3)
    axes[0][0].set_ylabel("part of all answers that were there by then")
    return _save(figure, path)


def _finished(samples: Samples, path: Path) -> Path:
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(10, 7), layout="constrained")
    sides = samples.measures[FINISHED].sides
    for axis, names in zip(axes, ((OURS, REUSED), STOCK), strict=True):
        shown = {name: sides[name] for name in names if name in sides}
        for name, found in shown.items():
            seconds = range(SMOOTH_SECONDS, int(max(found.ends, default=0)) + 1)
            smooth = [_rate(found.ends, second) for second in seconds]
            axis.plot(seconds, smooth, label=f"{name}: {found.rate:.2g}/s", color=COLOURS[name])
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_title(f"Two-action runs finished a second, over {SMOOTH_SECONDS} s each")
    axes[1].set_xlabel("s")
    return _save(figure, path)


def _rate(ends: list[float], until: int) -> float:
    return sum(until - SMOOTH_SECONDS <= end < until for end in ends) / SMOOTH_SECONDS


def _save(figure: Figure, path: Path) -> Path:
    shown = {
        label: handle
        for axis in figure.axes
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
