"""What contradicting labels leave to be reached: items that are alike to the last number, and of different classes."""

from dataclasses import dataclass, replace

from scipy.special import betainc, betaincinv

from sufficiency.method.alike_bound import AlikeBound
from sufficiency.method.limitation import Limitation
from sufficiency.method.phrasing import value_text
from sufficiency.method.statements import Statement
from sufficiency.method.verdict import Verdict


@dataclass(frozen=True)
class LabelBound:
    """How many test items every model gets wrong, whatever it is and however much it has learned from.

    Attributes
    ----------
    items : int
        In the test split.
    unavoidable : int
        Of them those that no model is right about: of items that are alike it can be right about one class alone.

    Notes
    -----
    Of the split itself the bound is exact. Of all data that the split was drawn from it has a confidence: a model that
    is wrong about a share `e` of them is wrong about `unavoidable` test items or more with
    P(Bin(items, e) ≥ unavoidable), and every model is. What that makes too unlikely is ruled out. That the classes of
    alike items are chosen after they are seen makes `unavoidable` smaller, and the bound no less true.
    """

    items: int
    unavoidable: int

    @property
    def best(self) -> float:
        """The highest accuracy on this test split."""
        return 1.0 - self.unavoidable / self.items

    def confidence_beyond(self, target: float) -> float:
        """Return with what confidence no model has this accuracy on the data that the split was drawn from."""
        if not self.unavoidable or target <= 0:
            return 0.0
        if target >= 1:
            return 1.0
        return 1.0 - float(betainc(self.unavoidable, self.items - self.unavoidable + 1, 1.0 - target))

    def highest(self, confidence: float = 0.95) -> float:
        """Return the accuracy that no model exceeds, with a confidence, on the data that the split was drawn from."""
        if not self.unavoidable:
            return 1.0
        least = betaincinv(self.unavoidable, self.items - self.unavoidable + 1, 1.0 - confidence)
        return 1.0 - float(least)


def with_labels(verdict: Verdict, bound: LabelBound | None, alike: AlikeBound | None = None) -> Verdict:
    """Return a verdict that says what the labels leave, and that they are the limit where that is next to nothing.

    A yes stands: how near the bound a curve comes is its to say, and what the labels forbid is told beside it.
    """
    if bound is None and alike is None:
        return verdict
    best = min(one.best for one in (bound, alike) if one is not None)
    first = best - verdict.now.value < verdict.min_gain and verdict.worth != "yes"
    told = " ".join([*([] if bound is None else [_detail(bound)]), *([] if alike is None else [_detail_alike(alike)])])
    limit = Limitation("labels", told, "Look at those labels, and at what tells the items apart.")
    others = [one for one in verdict.limits if one.code not in (("labels", "model") if first else ("labels",))]
    limits = [limit, *others] if first else [*others, limit]
    said = [Statement(limit.detail, "limit"), Statement(limit.remedy, "advice")]
    gone = {text for one in verdict.limits if one not in others for text in (one.detail, one.remedy)}
    statements = [one for one in verdict.statements if one.text not in gone] + said
    limited_by = "labels" if first else verdict.limited_by
    return replace(verdict, limits=limits, statements=statements, limited_by=limited_by)


def _detail(bound: LabelBound) -> str:
    items = "item contradicts" if bound.unavoidable == 1 else "items contradict"
    return (
        f"No model has more than {value_text(bound.best)} of the test split right: {bound.unavoidable:,} of its "
        f"{bound.items:,} {items} the labels of others that are alike, number by number."
    )


def _detail_alike(alike: AlikeBound) -> str:
    return (
        f"A model that answers nearly alike items alike should have no more than {value_text(alike.best)} of such data "
        f"right, and with 95 % confidence not {value_text(alike.highest())}: {alike.why}."
    )
