"""Whether a model, its strategies and a dataset go together, and what would where they do not."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

COMBINED = ("model", "training", "evaluation", "reset")
_HOLDS = {
    "classification": "one class an item",
    "regression": "numbers to predict",
    "multilabel": "several labels an item",
    "detection": "boxes",
}
_FAMILY = {"network": "networks", "lightning": "LightningModules", "estimator": "scikit-learn estimators"}


@dataclass(frozen=True)
class Part:
    """A plugin as far as it must go together with others.

    Parameters
    ----------
    kind, name : str
    tasks : frozenset of str
        What it is for; empty: anything, or it does not say.
    families : frozenset of str
        What a model is, or what a training trains; empty: it does not say.
    param : str
        The parameter that decides for what it is, where one does.
    by_value : mapping from str to sequence of str
        The tasks by the values of that parameter.
    value : str, optional
        That parameter's value.
    needs_params : bool
        Whether it cannot be had without naming some.
    """

    kind: str
    name: str
    tasks: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    param: str = ""
    by_value: Mapping[str, Sequence[str]] | None = None
    value: str | None = None
    needs_params: bool = False

    @classmethod
    def described(
        cls, kind: str, name: str, capabilities: Mapping[str, Any], params: Mapping[str, Any], *, needs: bool = False
    ) -> "Part":
        """Return the part that a plugin of the catalog is, with these parameters."""
        by = capabilities.get("tasks_by") or {}
        told = capabilities.get("tasks") or ()
        value = params.get(by.get("param", ""))
        if isinstance(value, str) and value in (by.get("tasks") or {}):
            told = by["tasks"][value]
        tasks = frozenset(told)
        return cls(
            kind,
            name,
            frozenset() if "any" in tasks else tasks,
            frozenset(capabilities.get("families") or ()),
            str(by.get("param", "")),
            by.get("tasks"),
            value if isinstance(value, str) else None,
            needs,
        )

    def is_for(self, task: str) -> bool:
        """Tell whether it can be used on a dataset of a task."""
        return not self.tasks or task in self.tasks

    def __str__(self) -> str:
        with_value = f" with {self.param} {self.value!r}" if self.param and self.value is not None else ""
        return f"{self.kind} {self.name}{with_value}"


@dataclass(frozen=True)
class Misfit:
    """One thing that does not go with the others: which field says so, and why."""

    place: tuple[str, ...]
    detail: str


def task_word(task: str) -> str:
    """Return a dataset's task in the words that plugins declare theirs in."""
    return "detection" if task == "object-detection" else task


def misfits(parts: Mapping[str, Part], task: str, dataset: str) -> list[Misfit]:
    """Return what does not go together.

    Parameters
    ----------
    parts : mapping from str to Part
        By kind.
    task : str
        Of the dataset.
    dataset : str
        Its name.
    """
    word = task_word(task)
    holds = (
        f"dataset {dataset!r} holds {_HOLDS[word]} ({word})" if word in _HOLDS else f"dataset {dataset!r} is for {word}"
    )
    found = []
    for part in parts.values():
        if not part.is_for(word):
            by_value = part.value is not None
            place = (part.kind, "params", part.param) if by_value else (part.kind,)
            name = part.value if by_value else part.name
            found.append(Misfit(place, f"{name} is for {_listed(part.tasks)}, and {holds}"))
    model, training = parts.get("model"), parts.get("training")
    if model and training and not together(model, training):
        trained, known = (_listed(_FAMILY[f] for f in _narrowest(p.families)) for p in (training, model))
        found.append(Misfit(("training",), f"{training.name} trains {trained}, and {model.name} is of the {known}"))
    return found


def together(model: Part, training: Part) -> bool:
    """Tell whether a training trains models of such a family, as far as both say."""
    return not model.families or not training.families or bool(model.families & training.families)


def nearest(parts: Mapping[str, Part], task: str, offered: Iterable[Part]) -> dict[str, Part] | None:
    """Return the combination for a task that keeps most of another one, the model before all, or None.

    Parameters
    ----------
    parts : mapping from str to Part
        By kind: model, training and evaluation.
    offered : iterable of Part
        What can be taken in their places, as it is without any parameters.
    """
    word = task_word(task)
    mended = {kind: _with_value_for(part, word) for kind, part in parts.items()}
    candidates: dict[str, list[tuple[int, Part]]] = {}
    for kind in ("model", "training", "evaluation"):
        kept = mended.get(kind)
        own = [(0 if kept == parts[kind] else 1, kept)] if kept is not None and kept.is_for(word) else []
        # What says that it is for the task comes before what says nothing.
        others = [
            (2 + (word not in part.tasks), part)
            for part in offered
            if part.kind == kind and part.is_for(word) and not part.needs_params and part.name != parts[kind].name
        ]
        # Of a model that does not say what it is, most are networks.
        candidates[kind] = sorted([*own, *others], key=lambda c: (c[0], "network" not in c[1].families, c[1].name))
    pairs = [
        ((2 * changed_model + changed_training, i, j), model, training)
        for i, (changed_model, model) in enumerate(candidates["model"])
        for j, (changed_training, training) in enumerate(candidates["training"])
        if together(model, training)
        and (
            model.name == parts["model"].name
            or training.name == parts["training"].name
            or model.families & training.families
        )
    ]
    if not pairs or not candidates["evaluation"]:
        return None
    _, model, training = min(pairs, key=lambda pair: pair[0])
    return {"model": model, "training": training, "evaluation": candidates["evaluation"][0][1]}


def _with_value_for(part: Part, task: str) -> Part:
    """Return the part with the value of its parameter that is most like its own and for the task."""
    if part.is_for(task) or part.value is None or not part.by_value:
        return part
    fitting = [value for value, tasks in part.by_value.items() if task in tasks]
    wanted = (
        part.value.replace("Classifier", "Regressor")
        if task == "regression"
        else part.value.replace("Regressor", "Classifier")
    )
    wanted = {"SVC": "SVR", "SVR": "SVC", "LogisticRegression": "LinearRegression"}.get(wanted, wanted)
    near = difflib.get_close_matches(wanted, fitting, n=1, cutoff=0.3) or fitting[:1]
    return replace(part, value=near[0], tasks=frozenset(part.by_value[near[0]])) if near else part


def _narrowest(families: Iterable[str]) -> list[str]:
    told = sorted(families)
    return ["lightning"] if "lightning" in told else told


def _listed(words: Iterable[str]) -> str:
    told = sorted(words)
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
