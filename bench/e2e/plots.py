"""Plots of a run: ratios to Debian 13's nginx with their bars, and latencies. PNG and SVG."""

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # pylint: disable=wrong-import-position

from report import Found, ratios  # pylint: disable=wrong-import-position

COLOURS = {"nginx13": "#2a7f3f", "haproxy13": "#3a5fa8"}
SIDES = {"nginx13": "nginx of Debian 13", "haproxy13": "HAProxy of Debian 13"}
SHARES = (("p50_ms", "p50"), ("p99_ms", "p99"), ("p999_ms", "p99.9"))


def save(figure, path: Path) -> None:
    for suffix in (".png", ".svg"):
        figure.savefig(path.with_name(path.name + suffix), dpi=120, bbox_inches="tight")
    plt.close(figure)


def plot_ratios(rows: list[Found], path: Path) -> None:
    shown = [(found.row.name, {ratio.side: ratio for ratio in ratios(found) if ratio.side in SIDES}) for found in rows]
    shown = [(name, by_side) for name, by_side in shown if by_side]
    if not shown:
        return
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.42 * len(shown)))
    for offset, side in ((-0.2, "nginx13"), (0.2, "haproxy13")):
        there = [(at + offset, by_side[side]) for at, (_, by_side) in enumerate(shown) if side in by_side]
        axes.barh([at for at, _ in there], [ratio.median for _, ratio in there], 0.36, color=COLOURS[side],
                  label=f"sluice / {SIDES[side]}",
                  xerr=[[max(ratio.median - ratio.low, 0) for _, ratio in there],
                        [max(ratio.high - ratio.median, 0) for _, ratio in there]],
                  error_kw={"elinewidth": 0.8, "capsize": 2})
        barred = [(at, ratio.bar) for at, ratio in there if ratio.bar is not None]
        axes.plot([bar for _, bar in barred], [at for at, _ in barred], linestyle="", marker="|", markersize=11,
                  markeredgewidth=2.2, color="#c02020", label="bar" if side == "nginx13" else None)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.invert_yaxis()
    axes.set_xlabel("ratio (less is better); whiskers: smallest and largest of a round")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02 - 1.2 / (1.5 + 0.42 * len(shown))), ncols=3, frameon=False)
    axes.set_title("What sluice needs, divided by what a peer needs")
    save(figure, path.with_name(path.name + "-ratios"))


def plot_latencies(rows: list[Found], path: Path) -> None:
    shown = [found for found in rows if found.row.name.startswith("latency/") and found.rounds]
    if not shown:
        return
    figure, all_axes = plt.subplots(1, len(shown), figsize=(6 * len(shown), 4), squeeze=False)
    for axes, found in zip(all_axes[0], shown):
        sides = [side.name for side in found.row.sides if found.values(side.name, "p50_ms")]
        for index, (key, label) in enumerate(SHARES):
            axes.bar([at + (index - 1) * 0.27 for at in range(len(sides))],
                     [statistics.median(found.values(side, key)) for side in sides], 0.25, label=label)
        axes.set_xticks(range(len(sides)), sides)
        axes.set_yscale("log")
        axes.set_ylabel("ms")
        axes.set_title(f"{found.row.name}, at 70 % of nginx's maximum")
        axes.legend()
    save(figure, path.with_name(path.name + "-latencies"))


def write(folder: Path, name: str, rows: list[Found]) -> None:
    plot_ratios(rows, folder / name)
    plot_latencies(rows, folder / name)
