"""What a module of metrics defines, as Prometheus will name it."""

from dataclasses import dataclass
from types import ModuleType

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase


@dataclass(frozen=True)
class Family:
    kind: str
    unit: str
    labels: frozenset[str]


def families(module: ModuleType) -> dict[str, Family]:
    """By the name that a query uses: a counter's ends with _total."""
    found = [item for item in vars(module).values() if isinstance(item, MetricWrapperBase)]
    return {_queried(item): Family(str(item._type), item._unit, frozenset(item._labelnames)) for item in found}


def _queried(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if isinstance(metric, Counter) else str(metric._name)
