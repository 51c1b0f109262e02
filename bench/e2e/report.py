"""What a run has found, as JSON with every single figure and as Markdown tables with medians and spread."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from bars import BARS
from proxies import NAMES
from rows import UNITS, Row

COLUMNS = NAMES  # of the tables; what else a row has beside sluice is in the last one


@dataclass
class Found:
    """A row's figures: side -> one dictionary for each round."""

    row: Row
    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failure: str = ""

    def values(self, side: str, figure: str) -> list[float]:
        return [round_[figure] for round_ in self.rounds.get(side, []) if figure in round_]


@dataclass(frozen=True)
class Ratio:
    """sluice's median divided by another side's, the smallest and largest ratio of a round, and the bar if any."""

    side: str
    median: float
    low: float
    high: float
    bar: float | None

    @property
    def holds(self) -> bool | None:
        return None if self.bar is None else self.median <= self.bar


def ratios(found: Found) -> list[Ratio]:
    metric, ours = found.row.metric, found.row.sides[0].name
    own = found.values(ours, metric)
    result = []
    for side in (side.name for side in found.row.sides[1:]):
        other = found.values(side, metric)
        if not own or not other or min(other) <= 0:
            continue
        each = [a / b for a, b in zip(own, other)]
        result.append(Ratio(side, statistics.median(own) / statistics.median(other), min(each), max(each),
                            BARS.get(found.row.name, {}).get(side)))
    return result


# --- JSON ------------------------------------------------------------------------------------------------

def as_json(facts: dict, rows: list[Found]) -> str:
    """`facts`: date, commit, machine, versions, options."""
    return json.dumps({**facts, "rows": [{
        "name": found.row.name, "about": found.row.about, "metric": found.row.metric, "unit": UNITS[found.row.metric],
        "failure": found.failure, "rounds": found.rounds,
        "ratios": {ratio.side: {"median": ratio.median, "low": ratio.low, "high": ratio.high, "bar": ratio.bar,
                                "holds": ratio.holds} for ratio in ratios(found)},
    } for found in rows]}, indent=1) + "\n"


# --- text ------------------------------------------------------------------------------------------------

def short(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: list[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return short(values[0])
    return f"{short(statistics.median(values))} ({short(min(values))}..{short(max(values))})"


def verdict(ratio: Ratio) -> str:
    text = f"{ratio.median:.2f}x"
    if ratio.low != ratio.high:
        text += f" ({ratio.low:.2f}..{ratio.high:.2f})"
    return text if ratio.bar is None else f"{text}, bar {ratio.bar:.2f}: {'holds' if ratio.holds else 'MISSED'}"


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def ratio_table(rows: list[Found]) -> str:
    text = line(["row", "figure", *COLUMNS, "other", "against nginx13", "against haproxy13", "against the other"])
    text += line(["---"] * (len(COLUMNS) + 6))
    for found in rows:
        metric = found.row.metric
        others = [side.name for side in found.row.sides if side.name not in COLUMNS]
        by_side = {ratio.side: ratio for ratio in ratios(found)}
        last = [*others, "floor"]
        text += line([
            found.row.name + (" FAILED" if found.failure else ""), UNITS[metric],
            *(spread(found.values(side, metric)) for side in COLUMNS),
            "; ".join(f"{side}: {spread(found.values(side, metric))}" for side in others),
            *(verdict(by_side[side]) if side in by_side else "" for side in ("nginx13", "haproxy13")),
            "; ".join(f"{side}: {verdict(by_side[side])}" for side in last if side in by_side)])
    return text


def figure_table(rows: list[Found], figure: str) -> str:
    with_it = [found for found in rows if any(found.values(side.name, figure) for side in found.row.sides)]
    if not with_it:
        return ""
    text = line(["row", *COLUMNS, "other"]) + line(["---"] * (len(COLUMNS) + 2))
    for found in with_it:
        others = [side.name for side in found.row.sides if side.name not in COLUMNS]
        text += line([found.row.name, *(spread(found.values(side, figure)) for side in COLUMNS),
                      "; ".join(f"{side}: {spread(found.values(side, figure))}" for side in others)])
    return text


BESIDE = {"per_second": "Requests (or messages, handshakes) per second, the proxy alone on its CPU. Where its share of the "
                        "CPU is below 1, the load or the upstream was the limit.",
          "cpu_share": "Share of its CPU that the proxy used", "p50_ms": "Latency, median, ms", "p99_ms": "Latency, p99, ms",
          "p999_ms": "Latency, p99.9, ms", "rate": "Requests per second that were due in the rows of latency",
          "gib_per_second": "GiB per second through one tunnel", "failed": "Requests that failed",
          "connections": "Connections; fewer than the row's name says where the limit of descriptors (ulimit -Hn) has no room",
          "handshakes_per_second": "Handshakes of the storm per second", "memory_bytes": "Process memory (Pss) after the round",
          "before_bytes": "Memory before a spike", "height_bytes": "Memory at its height",
          "after_2_s_bytes": "Memory 2 s after a spike"}


def as_markdown(facts: dict, rows: list[Found]) -> str:
    machine, options = facts["machine"], facts["options"]
    text = f"# Benchmark of {facts['date']}, commit {facts['commit']}\n\n"
    text += (f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, {machine['system']}, TCP "
             f"{machine['tcp_congestion_control']}; proxy on CPU "
             f"{options['proxy_cpus'][0]}, load and upstream on {', '.join(map(str, options['other_cpus']))}. "
             f"{options['rounds']} rounds of {options['seconds']} s. Median (smallest..largest).\n\n")
    text += "".join(f"- {name}: {version}\n" for name, version in facts["versions"].items())
    text += ("\nThe ratio is sluice's figure divided by the other's, less is better; a bar is the most that it may be. "
             "docs/performance.md says what each row is.\n\n")
    text += ratio_table(rows)
    for figure, title in BESIDE.items():
        table = figure_table(rows, figure)
        text += f"\n## {title}\n\n{table}" if table else ""
    failed = [found for found in rows if found.failure]
    if failed:
        text += "\n## Rows that failed\n\n" + "".join(f"- {found.row.name}: {found.failure}\n" for found in failed)
    return text


def write(folder: Path, name: str, facts: dict, rows: list[Found]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(as_json(facts, rows))
    (folder / f"{name}.md").write_text(as_markdown(facts, rows))
