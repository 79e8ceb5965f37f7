"""SDK for hospital systems: `Adapter` takes closed visits to the bus (docs/his-adapter.md)."""

from events.his.adapter import Adapter, Receipt, SharedAdapter
from events.his.errors import DossierError, HisError, RefusedError, SpoolError, SpoolFullError

__all__ = [
    "Adapter",
    "DossierError",
    "HisError",
    "Receipt",
    "RefusedError",
    "SharedAdapter",
    "SpoolError",
    "SpoolFullError",
]
