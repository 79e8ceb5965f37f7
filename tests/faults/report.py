"""What a person reads of runs."""

from collections import Counter
from dataclasses import dataclass, field

from tests.faults.checker import Wrong
from tests.faults.run import Report
from tests.faults.schedule import Kind

_MOST_TOLD, _LAST_WORDS = 12, 200


def tell_run(report: Report) -> str:
    """One line when nothing is wrong; else the defects, and the story of a visit of each kind."""
    history, plan = report.history, report.plan
    lines = [
        f"seed {plan.seed}: {report.injected}; {len(history.closed)} visits, {len(history.closings)} revisions; "
        f"settled after {report.settled:.1f} s; {_verdict(report)}"
    ]
    for name, ends in report.ended_by_themselves.items():
        lines.append(f"  {name} ended by itself, {len(ends)} times; last with {ends[-1][:_LAST_WORDS]}")
    lines += [f"  {defect}" for defect in report.defects[:_MOST_TOLD]]
    if len(report.defects) > _MOST_TOLD:
        lines.append(f"  … and {len(report.defects) - _MOST_TOLD} more")
    return "\n".join([*lines, *report.stories])


def _verdict(report: Report) -> str:
    wrong = Counter(defect.wrong for defect in report.defects)
    return ", ".join(f"{number} {kind}" for kind, number in wrong.items()) or "nothing wrong"


@dataclass
class Totals:
    """Over all runs."""

    runs: int = 0
    seconds: float = 0.0
    visits: int = 0
    revisions: int = 0
    entries: int = 0
    faults: Counter[Kind] = field(default_factory=Counter)
    wrong: Counter[Wrong] = field(default_factory=Counter)
    slowest: float = 0.0

    def add(self, report: Report) -> None:
        self.runs += 1
        self.seconds += report.plan.seconds
        self.visits += len(report.history.closed)
        self.revisions += len(report.history.closings)
        self.faults += report.injected.done
        self.wrong += Counter(defect.wrong for defect in report.defects)
        self.slowest = max(self.slowest, report.settled)

    @property
    def clean(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {self.faults[kind]}" for kind in Kind)
        results = ", ".join(f"{self.wrong[wrong]} {wrong}" for wrong in Wrong)
        return (
            f"{self.runs} runs, {self.seconds:.0f} s of faults, {sum(self.faults.values())} faults ({kinds})\n"
            f"{self.visits} visits, {self.revisions} revisions; settled after {self.slowest:.1f} s at most\n"
            f"{results}"
        )
