"""The real parts as child processes, for a machine without Docker: Kafka, PostgreSQL, schema registry, Prometheus.

Nothing here knows the product: settings arrive as arguments, the product meets the parts through their addresses.
Read in this order: `parts.py` (what starts when) → `process.py` (how a child lives and dies) → one file per part.
"""
