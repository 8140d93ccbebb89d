"""A figure as a picture, for reports: SVG or PNG, drawn by matplotlib."""

import io
import threading
import warnings
from typing import Any

import numpy as np

from sufficiency import extras
from sufficiency.answers.figure import PALETTES, Figure, needs, shortened
from sufficiency.method.curve import InverseAnswer
from sufficiency.schemas.words import PictureKind, Theme

# Matplotlib's settings are the process's, and requests are served by many threads.
DRAWING = threading.Lock()
SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "sufficiency", "font.size": 10.0, "text.parse_math": False}
INCHES, _DPI = (8.0, 4.6), 160
_DASHED, _DOTTED = (0, (4, 2.5)), (0, (2, 2))

# Matplotlib's objects, which it gives no types that hold without it.
_Axes = Any
_Palette = dict[str, str]


def draw(figure: Figure, kind: PictureKind, theme: Theme = "light") -> bytes:
    """Return the picture, the same bytes for the same figure.

    Raises
    ------
    MissingExtra
        Without matplotlib.
    """
    with extras.needs("plot"):
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Drawn

    colour = PALETTES[theme]
    with DRAWING, matplotlib.rc_context(SETTINGS):
        drawn = Drawn(figsize=INCHES, facecolor=colour["ground"], layout="constrained")
        FigureCanvasAgg(drawn)
        axes = drawn.subplots()
        axes.set_facecolor(colour["ground"])
        axes.set_xscale("log")
        _draw_curve(axes, figure, colour)
        _draw_measurements(axes, figure, colour)
        _mark_projection(axes, figure, colour)
        low, high = axes.get_ylim()
        if figure.target is not None:
            low, high = min(low, figure.target.target), max(high, figure.target.target)
            _mark_target(axes, figure, figure.target, low, colour)
        axes.set_ylim(low, high + 0.02 * (high - low))
        axes.set_xlim(figure.sizes[0] / 1.1, figure.sizes[-1])
        _label(axes, figure, colour)
        _rule(axes, colour)
        axes.legend(loc="best", frameon=False, labelcolor=colour["muted"], fontsize=8.5)
        return saved(drawn, kind, figure.title)


def _draw_curve(axes: _Axes, figure: Figure, colour: _Palette) -> None:
    for band in figure.bands:
        axes.fill_between(
            figure.sizes, band.lower, band.upper, color=colour["accent"], alpha=band.opacity, lw=0, label=band.name
        )
    measured, ahead = figure.measured, figure.ahead
    axes.plot(figure.sizes[measured], figure.median[measured], color=colour["accent"], lw=1.8, label="curve")
    axes.plot(figure.sizes[ahead], figure.median[ahead], color=colour["accent"], lw=1.8, ls=_DASHED)


def _draw_measurements(axes: _Axes, figure: Figure, colour: _Palette) -> None:
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


def _mark_projection(axes: _Axes, figure: Figure, colour: _Palette) -> None:
    axes.axvspan(figure.n_max, figure.sizes[-1], color=colour["muted"], alpha=0.06, lw=0)
    axes.axvline(figure.n_max, color=colour["muted"], lw=0.9)
    axes.annotate(
        "projected",
        (figure.n_max, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(6, 4),
        textcoords="offset points",
        color=colour["muted"],
        fontsize=8.5,
    )


def _mark_target(axes: _Axes, figure: Figure, target: InverseAnswer, low: float, colour: _Palette) -> None:
    axes.axhline(target.target, color=colour["ink"], lw=1.0, ls=_DOTTED)
    if target.n is not None:
        axes.plot([target.n] * 2, [low, target.target], color=colour["ink"], lw=1.0, ls=_DOTTED)
        ends = [target.lower or target.n, target.upper or figure.sizes[-1]]
        shown = np.clip(ends, figure.sizes[0], figure.sizes[-1])
        axes.plot(shown, [low, low], color=colour["ink"], lw=3.5, solid_capstyle="butt")
    axes.annotate(
        needs(target),
        (0.01, target.target),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        color=colour["ink"],
        fontsize=9,
        va="bottom",
    )


def _label(axes: _Axes, figure: Figure, colour: _Palette) -> None:
    axes.set_xlabel("training samples", color=colour["muted"])
    axes.set_ylabel(figure.axis, color=colour["muted"])
    axes.set_title(figure.heading, color=colour["ink"], loc="left", fontsize=11.5, fontweight="bold", pad=16)


def _rule(axes: _Axes, colour: _Palette) -> None:
    """Draw the scales: whole sizes at 1, 2 and 5 times powers of ten, a grid, and no frame."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.10g}"))
    axes.grid(color=colour["line"], lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=colour["muted"], length=0, labelsize=9)
    for side in axes.spines.values():
        side.set_visible(False)


def saved(drawn: Any, kind: PictureKind, title: str) -> bytes:
    """Return what matplotlib drew as a file, the same bytes each time."""
    metadata = {"Title": shortened(title, 200)} | ({"Date": None} if kind == "svg" else {})
    out = io.BytesIO()
    with warnings.catch_warnings():
        # Of a script that the bundled font lacks, the PNG shows boxes and the SVG, whose text is text, the letters.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        drawn.savefig(out, format=kind, dpi=_DPI, facecolor=drawn.get_facecolor(), metadata=metadata)
    return out.getvalue()
