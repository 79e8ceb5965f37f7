"""How often Python looks for cycles of garbage."""

import gc


def seldom() -> None:
    """Dossiers make many short-lived objects without cycles: looking for cycles at the default pace cost a tenth of the
    time (benchmarks/). What is loaded by now lives as long as the process, and is not looked at again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
