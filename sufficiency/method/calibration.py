"""The learned part of the calibrated method: the prior of the mixture, and the network that corrects its prediction.

`bench/calibration/learn.py` writes ``calibration.npz``; what it learned from and how it scores is in
``docs/decisions/0006-the-calibrated-method.md``. ``learn_second.py`` adds the second network: see
``docs/decisions/0020-one-posterior.md`` and ``0034-runs-items-and-what-they-share.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.method.curve import Array
from sufficiency.method.links import Kind
from sufficiency.method.mixture import Prior
from sufficiency.method.summary import AHEAD
from sufficiency.schemas.words import METRIC_FAMILIES, MetricFamily

KINDS: tuple[Kind, ...] = ("logit", "log", "identity")
# Doublings past the last step that there were truths for; beyond, the corrections stay as they are here.
FARTHEST_LEARNED = 5.0
# Between these distances widths grow by what was unforeseen of a family; at the middle they are as learned.
_GROWS_FROM, _GROWS_TO = 0.5, 3.0
_GROWS_ABOUT = 1.5
_LOG_RATIO_LIMIT = 3.0
_LEAST_TAIL = 0.05


@dataclass(frozen=True)
class Predictive:
    """The predictive distribution of a mean on the link's scale, each of shape (..., X).

    With u the standard normal quantile of q, the q-quantile is `centre` + `above`·sinh(tail·u)/tail for u ≥ 0 and
    `below` in place of `above` for u < 0: a normal with its own width on each side of the median and heavier tails.
    """

    centre: Array
    below: Array
    above: Array
    tail: Array


@dataclass(frozen=True)
class Network:
    """An ensemble of E perceptrons with two hidden layers of H tanh units, whose outputs are averaged.

    Attributes
    ----------
    offset, scale : ndarray, shape (F,)
        Of the inputs.
    hidden_1, hidden_2, output : ndarray, shape (E, F + 1, H), (E, H + 1, H), (E, H + 1, 6)
        Weights, the biases in the last row.
    """

    offset: Array
    scale: Array
    hidden_1: Array
    hidden_2: Array
    output: Array

    def __call__(self, inputs: Array, curve: Array | None = None) -> Array:
        """Return the outputs, shape (..., X, 6).

        Parameters
        ----------
        inputs : ndarray, shape (..., X, F − S)
            The last inputs, or all of them.
        curve : ndarray, shape (..., S), optional
            Those before, where they are the same for all X: what the first layer makes of them is made once.
        """
        count = 0 if curve is None else curve.shape[-1]
        members, _, units = self.hidden_1.shape
        h = ((inputs - self.offset[count:]) / self.scale[count:]) @ self._first[count:-1]
        if curve is None:
            h += self._first[-1]
        else:
            h += ((curve - self.offset[:count]) / self.scale[:count])[..., None, :] @ self._first[:count] + self._first[
                -1
            ]
        np.tanh(h, out=h)
        h = h.reshape(*h.shape[:-1], members, units).swapaxes(-2, -3) @ self.hidden_2[:, :-1]
        h += self.hidden_2[:, -1:]
        np.tanh(h, out=h)
        out: Array = (h @ self.output[:, :-1] + self.output[:, -1:]).mean(axis=-3)
        return out

    @cached_property
    def _first(self) -> Array:
        """The first layer of all perceptrons side by side, shape (F + 1, E·H): they see the same inputs."""
        return np.concatenate(list(self.hidden_1), axis=-1)


@dataclass(frozen=True)
class Calibration:
    """Everything that was learned.

    Attributes
    ----------
    several, single : Prior
        For curves with two runs or more at some step, and for those without.
    network : Network
    second : Network
        One that is told the metric's context before the other inputs.
    share : ndarray, shape (7,)
        How much of the second there is, by family in the order of `METRIC_FAMILIES`.
    widen : ndarray, shape (2, 3, 2)
        Factors of the widths where the first network stands alone, set on curves that it had not seen: with several
        runs and with one, by the kind of link in the order of `KINDS`, below and above the median.
    widen_family : ndarray, shape (2, 7, 2)
        The same where the second one has a share, by family.
    growth : ndarray, shape (2, 7)
        By how much more the widths grow there with each doubling, as a logarithm: far out curves that neither network
        had seen scatter more than they say.
    """

    several: Prior
    single: Prior
    network: Network
    second: Network
    share: Array
    widen: Array
    widen_family: Array
    growth: Array

    @cached_property
    def _by_family(self) -> tuple[Network, ...]:
        """What answers in each family: one ensemble of both networks takes half the time that two take in turn."""
        return tuple(_beside(self.network, self.second, float(share)) for share in self.share)

    def correct(
        self,
        inputs: Array,
        context: Array,
        mean: Array,
        sd: Array,
        kind: Kind,
        family: MetricFamily,
        *,
        single: bool,
        curve: Array | None = None,
    ) -> Predictive:
        """Return the predictive distribution where the mixture says `mean` ± `sd`, each of shape (..., X).

        Parameters
        ----------
        inputs : ndarray, shape (..., X, F)
            Of `summary.summarise`; or, with `curve`, `place` of `summary.summaries`.
        context : ndarray, shape (..., C); without `curve` also (X, C)
            Of `course.context`.
        curve : ndarray, shape (..., S), optional
            Of `summary.summaries`.

        Notes
        -----
        The last two inputs are how far the power laws lie from the mean, in units of the SD: the network may shift
        the median by a constant and by a share of either.
        """
        place = METRIC_FAMILIES.index(family)
        share = float(self.share[place])
        if share == 0.0:
            out, widen = self.network(inputs, curve), self.widen[int(single), KINDS.index(kind)]
        else:
            before = inputs if curve is None else curve
            told = np.concatenate([np.broadcast_to(context, (*before.shape[:-1], context.shape[-1])), before], axis=-1)
            network, grown = self._by_family[place], grow(inputs[..., AHEAD], self.growth[int(single), place])
            widen = self.widen_family[int(single), place] * grown[..., None]
            out = network(told) if curve is None else network(inputs, told)
        shift = out[..., 0] + out[..., 1] * inputs[..., -2] + out[..., 2] * inputs[..., -1]
        widths = np.exp(np.minimum(np.maximum(out[..., 3:5], -_LOG_RATIO_LIMIT), _LOG_RATIO_LIMIT)) * widen
        tail = np.logaddexp(0.0, out[..., 5]) + _LEAST_TAIL
        return Predictive(mean + sd * shift, sd * widths[..., 0], sd * widths[..., 1], tail)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return the calibration kept in the arrays of ``calibration.npz``."""

        def array(name: str) -> Array:
            return np.asarray(arrays[name], dtype=np.float64)

        def prior(name: str) -> Prior:
            factors = [np.log(array(f"{name}_{part}_weight")) for part in ("noise", "shape", "slope")]
            u, b = array(f"{name}_temper").tolist()
            return Prior(
                noise=array(f"{name}_noise"),
                shape=array(f"{name}_shape"),
                slope=array(f"{name}_slope"),
                log_weight=factors[0][:, None, None] + factors[1][None, :, None] + factors[2][None, None, :],
                temper=(u, b),
            )

        parts = ("offset", "scale", "hidden_1", "hidden_2", "output")
        network = Network(**{part: array(f"network_{part}") for part in parts})
        second = Network(**{part: array(f"second_{part}") for part in parts})
        several, single = prior("several"), prior("single")
        return cls(
            several, single, network, second, array("share"), array("widen"), array("widen_family"), array("growth")
        )


def grow(ahead: Array, growth: Array | float) -> Array:
    """Return what the widths are multiplied by at sizes so many doublings ahead."""
    doublings = np.minimum(np.maximum(ahead, _GROWS_FROM), _GROWS_TO) - _GROWS_ABOUT
    return np.asarray(np.exp(growth * doublings))


def _beside(first: Network, second: Network, share: float) -> Network:
    """Return the ensemble whose output is `share` of the second's, told of the context, and the rest of the first's."""
    if share in (0.0, 1.0):
        return second if share else first
    untold = len(second.offset) - len(first.offset)
    # The first network's weights for inputs that are scaled as the second's are, and for a context that it is not told.
    weights = first.hidden_1[:, :-1] * (second.scale[untold:] / first.scale)[:, None]
    shift = ((second.offset[untold:] - first.offset) / first.scale) @ first.hidden_1[:, :-1]
    members, _, hidden = first.hidden_1.shape
    bias = first.hidden_1[:, -1:] + shift[:, None]
    hidden_1 = np.concatenate([np.zeros((members, untold, hidden)), weights, bias], axis=1)
    # An ensemble's output is its members' mean.
    count = members + len(second.output)
    output = [
        (1.0 - share) * count / members * first.output,
        share * count / len(second.output) * second.output,
    ]
    return Network(
        second.offset,
        second.scale,
        np.concatenate([hidden_1, second.hidden_1]),
        np.concatenate([first.hidden_2, second.hidden_2]),
        np.concatenate(output),
    )


@cache
def calibration() -> Calibration:
    """Return what the package carries."""
    with (
        resources.files(__package__).joinpath("calibration.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return Calibration.of(arrays)
