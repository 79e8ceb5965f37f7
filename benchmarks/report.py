"""Figures as Markdown, for the README and for people."""

from collections.abc import Sequence

from benchmarks.flow import Measured, Result
from streams.runtime.processes import PROCESSES


def as_markdown(machine: str, result: Result) -> str:
    """Three tables: what came through, what each visit cost, how long a start takes."""
    lines = [
        f"Machine: {machine}.",
        "",
        "| load | visits | entries | visits/s | p50 | p99 | most |",
        "| --- " * 7 + "|",
    ]
    lines += [_came_through(measured) for measured in result.phases]
    lines += ["", "Closed → entry readable by a `read_committed` subscriber, in seconds; visits/s from the first close"]
    lines += ["to the last entry.", ""]
    names = [measured.phase.name for measured in result.phases]
    lines += [f"| CPU, ms a visit | {' | '.join(names)} |", "| --- " * (1 + len(names)) + "|"]
    ours = list(PROCESSES)
    others = sorted({name for measured in result.phases for name in measured.cpu} - set(ours))
    lines += [_cost(name, [name], result.phases) for name in ours]
    lines += [_cost("**our processes**", ours, result.phases)]
    lines += [_cost(name, [name], result.phases) for name in others]
    size = result.phases[0].dossier_bytes / 1000 if result.phases else 0
    lines += ["", f"A visit has {size:.0f} kB of tables on average."]
    lines += [f"First start {result.first_start:.1f} s (downloads were there), second {result.second_start:.1f} s."]
    return "\n".join(lines)


def _came_through(measured: Measured) -> str:
    phase = measured.phase
    load = f"{phase.name}, {phase.rate:g}/s" if phase.rate else phase.name
    figures = (_percentile(measured.latencies, share) for share in (0.5, 0.99, 1.0))
    rate = measured.entries / measured.seconds if measured.seconds > 0 else 0
    return f"| {load} | {phase.count} | {measured.entries} | {rate:.0f} | {' | '.join(f'{x:.2f}' for x in figures)} |"


def _cost(label: str, processes: Sequence[str], phases: Sequence[Measured]) -> str:
    cells = [
        1000 * sum(measured.cpu.get(name, 0.0) for name in processes) / max(measured.entries, 1) for measured in phases
    ]
    return f"| {label} | {' | '.join(f'{cell:.1f}' for cell in cells)} |"


def _percentile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(int(share * len(ascending)), len(ascending) - 1)] if ascending else float("nan")
