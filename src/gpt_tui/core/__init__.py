"""The engine: configuration, data, model, training, sampling, runs. Knows no screen."""

import os

# OpenMP reads these once, when torch is loaded. By default its idle threads spin for long: on a machine that has other
# work to do (a screen to draw, a second run, a browser) a step then takes up to forty times as long. Threads that sleep
# at once are late to each of the many small tasks of a step, which takes twice as long. So they spin a little (GNU's
# OpenMP, Linux), or not at all (the others, which know no such count).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
