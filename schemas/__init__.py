"""Data that the product ships: Avro schemas of the bus, and the dossier standard (tables, code lists, XSD)."""

from pathlib import Path

ROOT = Path(__file__).parent
