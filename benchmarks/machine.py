"""The machine that figures were taken on: without it they say nothing."""

import platform
from pathlib import Path

import psutil


def describe() -> str:
    """Processors, memory, system, in one line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GB"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{psutil.cpu_count()} × {model}, {memory}, {system}"
