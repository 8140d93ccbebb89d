"""One page for who pays: question, answer, picture, price, what it rests on, how sure; prints on one sheet of A4."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from sufficiency.answers.decision import decision
from sufficiency.answers.drawing import draw
from sufficiency.answers.figure import figure, shortened
from sufficiency.answers.study import FittedCurve, FittedStudy
from sufficiency.answers.verdict import verdict
from sufficiency.method.fitted_to import TrainScores
from sufficiency.method.measurements import Series
from sufficiency.method.phrasing import as_much, money_text
from sufficiency.schemas.decisions import DecisionTerms, DecisionView
from sufficiency.schemas.text import WORTH, count, number, percent, warned
from sufficiency.schemas.verdicts import Verdicts, VerdictView

# What fits on the sheet; the rest is said to be elsewhere.
_MOST_METRICS, _MOST_LIMITS, _MOST_WARNINGS, _LONGEST = 4, 3, 3, 260

_STYLE = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 10.5pt/1.4 system-ui, sans-serif; color: #1b1f1e; background: #fff }
body { margin: 0 auto; max-width: 182mm; padding: 4mm 0 }
h1 { font-size: 15pt; margin: 0 0 1mm } h2 { font-size: 11pt; margin: 4mm 0 1mm } p { margin: 0 0 1.5mm }
.muted { color: #565e5c; font-size: 9pt } .answer { font-size: 13pt; font-weight: 600; margin: 2mm 0 1mm }
img { width: 100%; max-height: 86mm; object-fit: contain; display: block; margin: 1mm 0 }
table { border-collapse: collapse; width: 100%; font-size: 9.5pt }
th, td { text-align: right; padding: .6mm 2mm; border-bottom: 1px solid #dfe2e0 }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
ul { margin: 0; padding-left: 5mm } li { margin: 0 0 .8mm }
@media print { body { padding: 0 } h2 { break-after: avoid } }
"""


def report(
    fitted: FittedStudy[Series],
    terms: DecisionTerms | None = None,
    *,
    measured_at: datetime | None = None,
    trained: Mapping[int, TrainScores] | None = None,
    name: str = "",
    note: str = "",
    lang: str = "en",
) -> str:
    """Return the page as HTML that needs nothing else.

    Parameters
    ----------
    fitted : FittedStudy
        By a method that gives intervals, with all that was measured.
    terms : DecisionTerms, optional
        Prices; without them nothing is said of money.
    measured_at : datetime, optional
        When the last of it was.
    trained : mapping of int to TrainScores, optional
        What the cells tell of their training, by size.
    name, note : str
        What the job is called, and what is written beside it.
    lang : str
        Of the page, for screen readers.
    """
    told = verdict(fitted, trained=trained)
    metric = told.overall.metric
    main = next(view for view in told.metrics[metric] if view.class_ == told.overall.class_)
    curve = next(one for one in fitted.curves if one.reading.metric == metric and fitted.label(one) == main.class_)
    alone = FittedStudy(fitted.study, fitted.method, fitted.n_observed, [curve])
    price = decision(fitted, terms, None if terms.target else metric) if terms is not None else None
    picture = b64encode(draw(figure(alone), "svg")).decode()
    study = fitted.study
    subject = f"{shortened(study.model, 60)} on {shortened(study.dataset, 60)}"
    day = "" if measured_at is None else f", measured up to {measured_at:%d %B %Y}"
    so_far = " So far: the job has not completed." if told.provisional else ""
    body = [
        f"<h1>Is more data worth it? {escape(name or subject)}</h1>",
        f'<p class="muted">{f"{escape(subject)}. " if name else ""}Job {study.id}{escape(day)}.{so_far}</p>',
        # On one sheet there is room for its beginning.
        *([f'<p class="muted">{escape(shortened(note, _LONGEST))}</p>'] if note else []),
        f'<p class="answer">{escape(WORTH[told.overall.worth][:1].upper() + WORTH[told.overall.worth][1:])}.</p>',
        f"<p>{escape(told.overall.sentence)}</p>",
        f'<img alt="{escape(f"Learning curve of {metric}")}" src="data:image/svg+xml;base64,{picture}">',
        _more(metric, main),
        *([_money(price)] if price is not None else []),
        _rests_on(fitted, curve, told),
        _how_sure(curve, main, told),
    ]
    title = escape(f"Sufficiency report: {name or subject}")
    return (
        f'<!doctype html>\n<html lang="{escape(lang)}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>\n{chr(10).join(body)}\n</main></body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _list(entries: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(shortened(one, _LONGEST))}</li>" for one in entries) + "</ul>"


def _more(name: str, view: VerdictView) -> str:
    rows = [
        [
            f"{as_much(gain.added + 1).capitalize()}: {count(gain.n)}",
            number(gain.value),
            f"{number(gain.lower)} to {number(gain.upper)}",
            number(gain.gain),
            percent(gain.probability),
        ]
        for gain in view.more
    ]
    head = ["Training samples", name, "95 % interval", "Gain", f"Chance of {number(view.min_gain)} or more"]
    return _table(head, rows)


def _money(price: DecisionView) -> str:
    terms = price.terms
    facts = [f"{money_text(terms.price)} a label"]
    if terms.round_cost:
        facts.append(f"{money_text(terms.round_cost)} a purchase")
    facts.append(f"{terms.rounds} purchase{'s' if terms.rounds > 1 else ''} left")
    if terms.target is not None:
        facts.append(f"missing {terms.target} costs {money_text(terms.penalty or 0)}")
    else:
        facts.append(f"a point is worth {money_text(terms.value or 0)}")
    if terms.budget is not None:
        facts.append(f"at most {money_text(terms.budget)} in all")
    first = price.first
    worth = [f"twice as many runs first would be worth up to {money_text(first.runs)}"]
    if first.test_split is not None:
        worth.append(f"a test split four times as large up to {money_text(first.test_split)}")
    return (
        f"<h2>The price</h2><p>{escape(price.sentence)}</p>"
        f'<p class="muted">At {escape(", ".join(facts))}. {escape(" and ".join(worth).capitalize())}.</p>'
    )


def _rests_on(fitted: FittedStudy[Series], curve: FittedCurve[Series], told: Verdicts) -> str:
    series, study = curve.reading, fitted.study
    runs = int(series.runs().max(initial=0))
    sizes = f"{len(series.n)} training-set sizes from {count(series.n[0])} to {count(series.n[-1])}"
    test = f", on {count(study.test_size)} test items" if study.test_size else ""
    others = [
        f"{metric}: {WORTH[one.worth]} ({number(one.now)} now, {number(one.more[0].value)} at twice the data)"
        for metric, [one, *more] in told.metrics.items()
        if metric != told.overall.metric and not more
    ]
    facts = [f"{sizes}, {runs} run{'s' if runs != 1 else ''} each{test}.", *others[:_MOST_METRICS]]
    return f"<h2>What it rests on</h2>{_list(facts)}"


def _how_sure(curve: FittedCurve[Series], view: VerdictView, told: Verdicts) -> str:
    test = view.backtest
    facts = []
    if test.error is not None:
        inside = [one for one in test.predictions if one.lower is not None and one.upper is not None]
        hits = sum((one.lower or 0) <= one.measured <= (one.upper or 0) for one in inside)
        facts.append(
            f"Fitted to the smaller sizes alone, the curve missed the larger ones by {number(test.error)} on average; "
            f"{hits} of {len(inside)} lay inside the 95 % interval."
        )
    facts += [f"{limit.detail} {limit.remedy}" for limit in view.limits[:_MOST_LIMITS]]
    warnings = warned(told.warnings)
    facts += warnings[:_MOST_WARNINGS]
    if (left := len(warnings) - _MOST_WARNINGS) > 0:
        facts.append(f"And {left} more notes, with the job.")
    facts.append("It is a forecast of more data like these: not of other data, other labels or another model.")
    return f"<h2>How sure it is</h2>{_list(facts)}"
