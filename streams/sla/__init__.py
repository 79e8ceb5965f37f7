"""The promises in time, and what passes; pure. Their processors on Faust: `streams/runtime/deadlines.py`, `flow.py`."""
