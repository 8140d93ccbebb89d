"""A learning curve as a picture: SVG and PNG for reports, and the same as a Plotly figure for notebooks."""

import io
import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.results.service import Fitted
from sufficiency.extras import needs
from sufficiency.method.calibrated import CalibratedFit
from sufficiency.method.projection import RELIABLE, InverseAnswer, inv_project, project

Theme = Literal["light", "dark"]
Kind = Literal["svg", "png"]
Array = NDArray[np.float64]

MEDIA_TYPES: dict[Kind, str] = {"svg": "image/svg+xml", "png": "image/png"}
PALETTES: dict[Theme, dict[str, str]] = {
    "light": {"ground": "#ffffff", "ink": "#1b1f1e", "muted": "#565e5c", "line": "#dfe2e0", "accent": "#1d5fb8"},
    "dark": {"ground": "#1a1d20", "ink": "#e9ecec", "muted": "#a6afb3", "line": "#30363b", "accent": "#84b6ff"},
}
LEVELS = (0.95, 0.5)
# How far ahead a picture looks when no target asks for more, in units of the largest measured size.
AHEAD = 8.0
_SIZES = 160
_LONGEST_NAME = 60
# Matplotlib's settings are the process's, and requests are served by many threads.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class Figure:
    """What a picture of one curve shows.

    Attributes
    ----------
    title : str
    metric : str
        With the class, where it is of one.
    runs : ndarray, shape (2, V)
        Size and value of every measured value.
    n, mean, sd : ndarray, shape (K,)
        By step; `sd` is NaN with fewer than two runs.
    sizes, median : ndarray, shape (P,)
    bands : list of (level, lower, upper)
        Of each level, the ends at `sizes`.
    n_max : float
        Largest measured size: beyond it the curve is a projection.
    target : InverseAnswer or None
    """

    title: str
    metric: str
    runs: Array
    n: Array
    mean: Array
    sd: Array
    sizes: Array
    median: Array
    bands: list[tuple[float, Array, Array]]
    n_max: float
    target: InverseAnswer | None


def figure_of(title: str, label: str | int | None, one: Fitted, target: float | None) -> Figure:
    """Return the figure of a fitted series.

    Parameters
    ----------
    label : str, int or None
        Its class.
    target : float, optional
        A value to mark, with the size that it needs.
    """
    series, fit = one.measured, one.fit
    assert isinstance(fit, CalibratedFit)
    answer = None if target is None else inv_project(series, fit, target)
    end = fit.n_max * AHEAD
    if answer is not None and answer.n is not None:
        end = max(end, min(2.0 * answer.n, RELIABLE * fit.n_max), 1.2 * answer.n)
    knots = np.exp2(fit.log2_n[(fit.log2_n > np.log2(fit.n_min)) & (fit.log2_n < np.log2(end))])
    sizes = np.unique(np.concatenate([np.geomspace(fit.n_min, end, _SIZES), knots]))
    bands = []
    for level in LEVELS:
        points = project(series, fit, sizes.tolist(), level)
        bands.append((level, np.array([p.lower for p in points]), np.array([p.upper for p in points])))
    run, step = np.nonzero(np.isfinite(series.values))
    name = series.metric if label is None else f"{series.metric}, class {label}"
    return Figure(
        title=title,
        metric=name,
        runs=np.stack([series.n[step], series.values[run, step]]),
        n=series.n,
        mean=series.mean(),
        sd=series.sd(),
        sizes=sizes,
        median=np.array([p.value for p in project(series, fit, sizes.tolist())]),
        bands=bands,
        n_max=fit.n_max,
        target=answer,
    )


def _short(text: str, length: int = _LONGEST_NAME) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _needs(answer: InverseAnswer) -> str:
    """Return in a few words what a target needs."""
    if answer.n is None:
        return f"target {answer.target:g}: " + str(answer.status).replace("_", " ")
    if answer.lower is None:
        return f"target {answer.target:g}: n = {answer.n:,}"
    upper = "∞" if answer.upper is None else f"{answer.upper:,}"
    return f"target {answer.target:g}: n = {answer.n:,} [{answer.lower:,}, {upper}]"


def draw(figure: Figure, kind: Kind, theme: Theme = "light") -> bytes:
    """Return the picture, the same bytes for the same figure."""
    with needs("plot"):
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    colour = PALETTES[theme]
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "sufficiency", "font.size": 10.0, "text.parse_math": False}
    with _DRAWING, matplotlib.rc_context(settings):
        made = Canvas(figsize=(8.0, 4.6), facecolor=colour["ground"], layout="constrained")
        FigureCanvasAgg(made)
        axes = made.subplots()
        axes.set_facecolor(colour["ground"])
        axes.set_xscale("log")
        measured = figure.sizes <= figure.n_max * (1 + 1e-9)
        ahead = figure.sizes >= figure.n_max * (1 - 1e-9)
        for (level, lower, upper), alpha in zip(figure.bands, (0.13, 0.22), strict=True):
            axes.fill_between(
                figure.sizes, lower, upper, color=colour["accent"], alpha=alpha, lw=0, label=f"{level:.0%} interval"
            )
        axes.plot(figure.sizes[measured], figure.median[measured], color=colour["accent"], lw=1.8, label="curve")
        axes.plot(figure.sizes[ahead], figure.median[ahead], color=colour["accent"], lw=1.8, ls=(0, (4, 2.5)))
        axes.plot(*figure.runs, "o", color=colour["accent"], alpha=0.35, ms=2.6, mew=0, label="run")
        axes.errorbar(
            figure.n,
            figure.mean,
            yerr=np.nan_to_num(figure.sd),
            fmt="o",
            color=colour["accent"],
            ms=4.2,
            mec=colour["ground"],
            elinewidth=1.1,
            capsize=2.2,
            label="mean ± SD",
        )
        axes.axvspan(figure.n_max, figure.sizes[-1], color=colour["muted"], alpha=0.06, lw=0)
        axes.axvline(figure.n_max, color=colour["muted"], lw=0.9)
        low, high = axes.get_ylim()
        axes.annotate(
            "projected",
            (figure.n_max, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(6, 4),
            textcoords="offset points",
            color=colour["muted"],
            fontsize=8.5,
        )
        if figure.target is not None:
            low, high = min(low, figure.target.target), max(high, figure.target.target)
            axes.axhline(figure.target.target, color=colour["ink"], lw=1.0, ls=(0, (2, 2)))
            if figure.target.n is not None:
                axes.plot(
                    [figure.target.n] * 2, [low, figure.target.target], color=colour["ink"], lw=1.0, ls=(0, (2, 2))
                )
                ends = [figure.target.lower or figure.target.n, figure.target.upper or figure.sizes[-1]]
                axes.plot(
                    np.clip(ends, figure.sizes[0], figure.sizes[-1]),
                    [low, low],
                    color=colour["ink"],
                    lw=3.5,
                    solid_capstyle="butt",
                )
            axes.annotate(
                _needs(figure.target),
                (0.01, figure.target.target),
                xycoords=("axes fraction", "data"),
                xytext=(0, 4),
                textcoords="offset points",
                color=colour["ink"],
                fontsize=9,
                va="bottom",
            )
        axes.set_ylim(low, high + 0.02 * (high - low))
        axes.set_xlim(figure.sizes[0] / 1.1, figure.sizes[-1])
        axes.set_xlabel("training samples", color=colour["muted"])
        axes.set_ylabel(_short(figure.metric), color=colour["muted"])
        axes.set_title(
            _short(figure.title, 90), color=colour["ink"], loc="left", fontsize=11.5, fontweight="bold", pad=16
        )
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=12))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.10g}"))
        axes.grid(color=colour["line"], lw=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=colour["muted"], length=0, labelsize=9)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.legend(loc="best", frameon=False, labelcolor=colour["muted"], fontsize=8.5)
        out = io.BytesIO()
        _save(made, out, kind, figure.title)
    return out.getvalue()


def _save(made: Any, out: io.BytesIO, kind: Kind, title: str) -> None:
    import warnings

    metadata = {"Title": _short(title, 200), "Date": None} if kind == "svg" else {"Title": _short(title, 200)}
    with warnings.catch_warnings():
        # Of a script that the bundled font lacks, the PNG shows boxes and the SVG, whose text is text, the letters.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        made.savefig(out, format=kind, dpi=160, facecolor=made.get_facecolor(), metadata=metadata)


def plotly_figure(figure: Figure, theme: Theme = "light") -> dict[str, Any]:
    """Return the figure as Plotly's JSON: ``plotly.graph_objects.Figure(answer)`` shows it."""
    colour = PALETTES[theme]
    red, green, blue = (int(colour["accent"][i : i + 2], 16) for i in (1, 3, 5))
    sizes = figure.sizes.tolist()
    data: list[dict[str, Any]] = []
    for (level, lower, upper), alpha in zip(figure.bands, (0.13, 0.22), strict=True):
        data.append(
            {
                "type": "scatter",
                "name": f"{level:.0%} interval",
                "x": sizes + sizes[::-1],
                "y": upper.tolist() + lower.tolist()[::-1],
                "fill": "toself",
                "fillcolor": f"rgba({red},{green},{blue},{alpha})",
                "line": {"width": 0},
                "mode": "lines",
                "hoverinfo": "skip",
            }
        )
    measured = figure.sizes <= figure.n_max * (1 + 1e-9)
    ahead = figure.sizes >= figure.n_max * (1 - 1e-9)
    for name, part, dash in (("curve, measured", measured, "solid"), ("curve, projected", ahead, "dash")):
        data.append(
            {
                "type": "scatter",
                "name": name,
                "mode": "lines",
                "x": figure.sizes[part].tolist(),
                "y": figure.median[part].tolist(),
                "line": {"color": colour["accent"], "width": 2, "dash": dash},
            }
        )
    usable = np.isfinite(figure.mean)
    data += [
        {
            "type": "scatter",
            "name": "run",
            "mode": "markers",
            "x": figure.runs[0].tolist(),
            "y": figure.runs[1].tolist(),
            "marker": {"color": colour["accent"], "size": 4, "opacity": 0.4},
        },
        {
            "type": "scatter",
            "name": "mean ± SD",
            "mode": "markers",
            "x": figure.n[usable].tolist(),
            "y": figure.mean[usable].tolist(),
            "error_y": {"type": "data", "array": np.nan_to_num(figure.sd[usable]).tolist(), "thickness": 1.2},
            "marker": {"color": colour["accent"], "size": 8},
        },
    ]
    shapes: list[dict[str, Any]] = [
        _line({"x0": figure.n_max, "x1": figure.n_max, "y0": 0, "y1": 1, "yref": "paper"}, colour["muted"], "solid")
    ]
    annotations = []
    if figure.target is not None:
        value = figure.target.target
        shapes.append(_line({"x0": 0, "x1": 1, "xref": "paper", "y0": value, "y1": value}, colour["ink"], "dot"))
        if figure.target.n is not None:
            n = figure.target.n
            shapes.append(_line({"x0": n, "x1": n, "y0": 0, "y1": 1, "yref": "paper"}, colour["ink"], "dot"))
        annotations.append(
            {
                "text": _needs(figure.target),
                "x": 0,
                "xref": "paper",
                "y": value,
                "showarrow": False,
                "yanchor": "bottom",
            }
        )
    axis = {"gridcolor": colour["line"], "zeroline": False, "color": colour["muted"]}
    layout = {
        "title": {"text": _plain(_short(figure.title, 90))},
        "xaxis": {**axis, "type": "log", "title": {"text": "training samples"}},
        "yaxis": {**axis, "title": {"text": _plain(_short(figure.metric))}},
        "paper_bgcolor": colour["ground"],
        "plot_bgcolor": colour["ground"],
        "font": {"color": colour["ink"]},
        "shapes": shapes,
        "annotations": annotations,
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def _line(ends: dict[str, Any], colour: str, dash: str) -> dict[str, Any]:
    return {"type": "line", **ends, "line": {"color": colour, "width": 1, "dash": dash}}


def _plain(text: str) -> str:
    """Plotly reads some tags in its texts; a name is shown as it is written."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
