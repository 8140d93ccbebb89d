"""A figure as Plotly's JSON, for notebooks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.answers.figure import PALETTES, Band, Figure, needs
from sufficiency.schemas.words import Theme

_Json = dict[str, Any]


def plotly_figure(figure: Figure, theme: Theme = "light") -> _Json:
    """Return the figure as Plotly's JSON: ``plotly.graph_objects.Figure(answer)`` shows it."""
    colour = PALETTES[theme]
    axis = {"gridcolor": colour["line"], "zeroline": False, "color": colour["muted"]}
    return {
        "data": [
            *(_band(figure, band, colour["accent"]) for band in figure.bands),
            _line("curve, measured", figure, figure.measured, colour["accent"], "solid"),
            _line("curve, projected", figure, figure.ahead, colour["accent"], "dash"),
            _runs(figure, colour["accent"]),
            _means(figure, colour["accent"]),
        ],
        "layout": {
            "title": {"text": _plain(figure.heading)},
            "xaxis": {**axis, "type": "log", "title": {"text": "training samples"}},
            "yaxis": {**axis, "title": {"text": _plain(figure.axis)}},
            "paper_bgcolor": colour["ground"],
            "plot_bgcolor": colour["ground"],
            "font": {"color": colour["ink"]},
            "shapes": [_upright(figure.n_max, colour["muted"], "solid"), *_target_lines(figure, colour["ink"])],
            "annotations": _target_text(figure),
            "hovermode": "x unified",
        },
    }


def _band(figure: Figure, band: Band, colour: str) -> _Json:
    """Along the upper ends and back along the lower ones."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    sizes = figure.sizes.tolist()
    return {
        "type": "scatter",
        "name": band.name,
        "x": sizes + sizes[::-1],
        "y": band.upper.tolist() + band.lower.tolist()[::-1],
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},{band.opacity})",
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
    }


def _line(name: str, figure: Figure, part: NDArray[np.bool_], colour: str, dash: str) -> _Json:
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines",
        "x": figure.sizes[part].tolist(),
        "y": figure.median[part].tolist(),
        "line": {"color": colour, "width": 2, "dash": dash},
    }


def _runs(figure: Figure, colour: str) -> _Json:
    return {
        "type": "scatter",
        "name": "run",
        "mode": "markers",
        "x": figure.runs[0].tolist(),
        "y": figure.runs[1].tolist(),
        "marker": {"color": colour, "size": 4, "opacity": 0.4},
    }


def _means(figure: Figure, colour: str) -> _Json:
    usable = np.isfinite(figure.mean)
    return {
        "type": "scatter",
        "name": "mean ± SD",
        "mode": "markers",
        "x": figure.n[usable].tolist(),
        "y": figure.mean[usable].tolist(),
        "error_y": {"type": "data", "array": np.nan_to_num(figure.sd[usable]).tolist(), "thickness": 1.2},
        "marker": {"color": colour, "size": 8},
    }


def _target_lines(figure: Figure, colour: str) -> list[_Json]:
    """Level at the target, and upright at the size that it needs."""
    if figure.target is None:
        return []
    value = figure.target.target
    level = _shape({"x0": 0, "x1": 1, "xref": "paper", "y0": value, "y1": value}, colour, "dot")
    return [level] if figure.target.n is None else [level, _upright(figure.target.n, colour, "dot")]


def _target_text(figure: Figure) -> list[_Json]:
    if figure.target is None:
        return []
    place = {"x": 0, "xref": "paper", "y": figure.target.target, "showarrow": False, "yanchor": "bottom"}
    return [{"text": needs(figure.target), **place}]


def _upright(n: float, colour: str, dash: str) -> _Json:
    return _shape({"x0": n, "x1": n, "y0": 0, "y1": 1, "yref": "paper"}, colour, dash)


def _shape(ends: _Json, colour: str, dash: str) -> _Json:
    return {"type": "line", **ends, "line": {"color": colour, "width": 1, "dash": dash}}


def _plain(text: str) -> str:
    """Plotly reads some tags in its texts; a name is shown as it is written."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
