"""The engine: configuration, data, model, training, sampling, runs. Knows no screen."""

import os

# OpenMP reads this once, when torch is loaded. By default its idle threads spin: on a machine that has other work to do
# (a screen to draw, a second run, a browser) a step then takes up to forty times as long as when they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
