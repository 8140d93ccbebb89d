"""The words that the API, the method and the answers share, each defined once."""

from typing import Literal

Direction = Literal["maximize", "minimize"]
# What a metric can take; None: unbounded on that side.
Bounds = tuple[float | None, float | None]
# The class index of a metric with one value, not one a class.
SCALAR = -1
# The name of a class, its index where it has none, None for a scalar.
ClassLabel = str | int | None

Method = Literal["calibrated", "power_law"]
DEFAULT_METHOD: Method = "calibrated"
# Whose interval: of the mean over as many runs as were measured, or of one new training.
Of = Literal["mean", "training"]
# Of what a target needs.
TargetStatus = Literal["reached", "needs", "beyond_horizon", "unreachable", "undetermined"]

# Whether more data is worth it, and what keeps the answer from being better or surer.
Worth = Literal["yes", "no", "unclear"]
Limit = Literal["steps", "trend", "training", "runs", "test_set", "model", "extrapolation"]

# Of pictures.
Theme = Literal["light", "dark"]
PictureKind = Literal["svg", "png"]
