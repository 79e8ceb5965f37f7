"""`python -m tests.faults.planted NAME MODULE ARGUMENTS…` is `python -m MODULE ARGUMENTS…` with that bug in it."""

import runpy
import sys

from tests.faults.planted import PLANTED

_, name, module, *arguments = sys.argv
PLANTED[name].plant()
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
