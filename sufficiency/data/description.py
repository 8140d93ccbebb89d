"""What can be said of a dataset beside its numbers: what was done to the items, and what looks odd in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

MOST_FEATURES_LISTED = 100

Scale = Literal["auto", "range", "none"]


@dataclass(frozen=True)
class Remark:
    """One sentence, and a code by which programs know it."""

    code: str
    detail: str


@dataclass(frozen=True)
class Feature:
    """What a model gets of one column: its name in the file, and its kind.

    Parameters
    ----------
    name : str
    kind : str
        number, boolean, category, text, date or time.
    numbers : int
        How many of an item's numbers it became.
    """

    name: str
    kind: str
    numbers: int = 1


@dataclass(frozen=True)
class Description:
    """What stands on a dataset.

    Parameters
    ----------
    notes : tuple of Remark
        What was done to the items.
    warnings : tuple of Remark
        What may make the figures wrong.
    features : tuple of Feature
        The columns of a table that a model gets.
    missing : mapping, optional
        What became of missing values.
    scale : {"auto", "range", "none"}
        How pixels are to be scaled when the splits are brought together; see `sufficiency.data.scaling`.
    """

    notes: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()
    features: tuple[Feature, ...] = ()
    missing: Mapping[str, Any] | None = None
    scale: Scale = "auto"

    def joined(self, other: "Description") -> "Description":
        """Return what stands on either; features and missing values are those of the first that has them."""
        return Description(
            tuple(dict.fromkeys((*self.notes, *other.notes))),
            tuple(dict.fromkeys((*self.warnings, *other.warnings))),
            self.features or other.features,
            self.missing or other.missing,
            self.scale,
        )

    def as_info(self) -> dict[str, Any]:
        """Return it as the API shows it: only what there is."""
        listed = [vars(feature) for feature in self.features[:MOST_FEATURES_LISTED]]
        shown = {
            "features": listed,
            "notes": [vars(remark) for remark in self.notes],
            "warnings": [vars(remark) for remark in self.warnings],
            "missing": dict(self.missing or {}),
        }
        return {key: value for key, value in shown.items() if value}
