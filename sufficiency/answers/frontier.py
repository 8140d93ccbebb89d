"""What a decision trades: money against the chance of the target, or against improvement, as a picture."""

from typing import Any

from sufficiency import extras
from sufficiency.answers.drawing import DRAWING, INCHES, SETTINGS, saved
from sufficiency.answers.figure import PALETTES, shortened
from sufficiency.schemas.decisions import DecisionView
from sufficiency.schemas.text import count
from sufficiency.schemas.words import PictureKind, Theme

_LONGEST_TITLE = 90


def _height(decision: DecisionView) -> str:
    """Return what stands against money: a chance where there is a target, else an improvement."""
    return "gain" if decision.terms.target is None else "probability"


def _axis(decision: DecisionView) -> str:
    if decision.terms.target is None:
        return f"improvement of {decision.metric}"
    return f"chance that {decision.metric} meets {decision.terms.target.rpartition(':')[2]}"


def _points(decision: DecisionView) -> tuple[list[float], list[float], list[str]]:
    what = _height(decision)
    return (
        [trade.spend for trade in decision.frontier],
        [getattr(trade, what) for trade in decision.frontier],
        [f"{count(trade.items)} labels first" for trade in decision.frontier],
    )


def frontier_figure(decision: DecisionView, theme: Theme = "light") -> dict[str, Any]:
    """Return the frontier as Plotly's JSON: ``plotly.graph_objects.Figure(answer)`` shows it."""
    colour = PALETTES[theme]
    axis = {"gridcolor": colour["line"], "zeroline": False, "color": colour["muted"]}
    spend, height, labels = _points(decision)
    plan = decision.plan
    return {
        "data": [
            {
                "type": "scatter",
                "name": "the best for the money",
                "mode": "lines+markers",
                "x": spend,
                "y": height,
                "text": labels,
                "line": {"color": colour["accent"], "width": 2},
            },
            {
                "type": "scatter",
                "name": "the decision",
                "mode": "markers",
                "x": [plan.spend],
                "y": [getattr(plan, _height(decision))],
                "text": [f"{count(decision.buy)} labels now"],
                "marker": {"color": colour["ink"], "size": 11, "symbol": "diamond"},
            },
        ],
        "layout": {
            "title": {"text": shortened(decision.sentence, _LONGEST_TITLE)},
            "xaxis": {**axis, "title": {"text": "spent, on average"}},
            "yaxis": {**axis, "title": {"text": _axis(decision)}},
            "paper_bgcolor": colour["ground"],
            "plot_bgcolor": colour["ground"],
            "font": {"color": colour["ink"]},
        },
    }


def draw_frontier(decision: DecisionView, kind: PictureKind, theme: Theme = "light") -> bytes:
    """Return the frontier as a picture, the same bytes for the same decision.

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
    spend, height, _ = _points(decision)
    with DRAWING, matplotlib.rc_context(SETTINGS):
        drawn = Drawn(figsize=INCHES, facecolor=colour["ground"], layout="constrained")
        FigureCanvasAgg(drawn)
        axes = drawn.subplots()
        axes.set_facecolor(colour["ground"])
        axes.plot(spend, height, "-o", color=colour["accent"], lw=1.8, ms=4, label="the best for the money")
        at = getattr(decision.plan, _height(decision))
        axes.plot([decision.plan.spend], [at], "D", color=colour["ink"], ms=8, label="the decision")
        axes.annotate(
            f"{count(decision.buy)} labels now",
            (decision.plan.spend, at),
            xytext=(9, -4),
            textcoords="offset points",
            va="top",
            color=colour["ink"],
            fontsize=9,
        )
        axes.set_xlabel("spent, on average", color=colour["muted"])
        axes.set_ylabel(shortened(_axis(decision), _LONGEST_TITLE), color=colour["muted"])
        axes.grid(color=colour["line"], lw=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=colour["muted"], length=0, labelsize=9)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.legend(loc="best", frameon=False, labelcolor=colour["muted"], fontsize=8.5)
        return saved(drawn, kind, decision.sentence)
