"""What measures the cells of a job: the loop, what it is given, and the process that it runs in."""

import gc
import sys

# Nothing of what is imported is garbage, and to look for some takes a seventh of a trainer's start. It is looked for
# again as soon as all is there; see `trainer.main`.
if "sufficiency.training.trainer" in sys.orig_argv:
    gc.disable()
