"""The contract: what the service asks of each kind of plugin, one function a rule."""

from collections.abc import Callable

from sufficiency.testing.rules import dataset, evaluation, every, model, reset, schedule, training
from sufficiency.testing.trial import Trial

Rule = Callable[[Trial], None]

_SHAPE: Rule = every.has_the_shape_of_its_kind_and_a_schema_of_its_parameters
_DOCUMENTED: Rule = every.is_documented
_BUILT: Rule = every.can_be_built
UNTOLD: Rule = every.is_told_its_parameters

RULES: dict[str, tuple[Rule, ...]] = {
    "model": (
        model.starts_from_fresh_weights,
        model.is_the_same_under_the_same_seed,
        model.answers_finite_logits,
        model.settings_stay_the_same_at_every_size,
    ),
    "training": (
        training.changes_the_given_model,
        training.respects_the_indices,
        training.is_the_same_under_the_same_seed,
        training.takes_an_item_twice,
        training.takes_a_subset_of_three,
        training.leaves_the_dataset_alone,
    ),
    "evaluation": (
        evaluation.measures_finite_numbers,
        evaluation.is_the_same_under_the_same_seed,
        evaluation.leaves_the_model_alone,
        evaluation.is_the_same_in_another_order,
        evaluation.declares_its_metrics,
    ),
    "reset": (reset.forgets_what_was_learnt, reset.is_the_same_under_the_same_seed),
    "dataset": (dataset.holds_items_that_can_be_used, dataset.is_the_same_when_read_again, dataset.ends),
    "schedule": (schedule.names_steps_that_can_be_measured, schedule.names_the_same_steps_again),
}


def rules_of(kind: str) -> tuple[Rule, ...]:
    """Return what is asked of a kind of plugin, in the order in which it is tried."""
    return _SHAPE, _DOCUMENTED, _BUILT, *RULES[kind]


def needed_before(rule: Rule) -> tuple[Rule, ...]:
    """Return what must be kept for a rule to be tried at all."""
    if rule is _SHAPE:
        return ()
    return (_SHAPE,) if rule in (_DOCUMENTED, _BUILT, UNTOLD) else (_SHAPE, _BUILT)


def name_of(rule: Rule) -> str:
    """Return how a rule is called: its function's name in words."""
    return rule.__name__.replace("_", " ")
