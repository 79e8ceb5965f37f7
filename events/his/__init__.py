"""SDK for hospital systems: `Adapter` takes closed visits to the bus (docs/his-adapter.md)."""

from events.his.adapter import Adapter, Receipt
from events.his.errors import DossierError, HisError, RefusedError, SpoolError, SpoolFullError

__all__ = ["Adapter", "DossierError", "HisError", "Receipt", "RefusedError", "SpoolError", "SpoolFullError"]
