"""The words that API, client, workers and docs share, each said here once, in plain Python: a word costs no import."""

from typing import Literal, get_args

DEFAULT_URL = "http://127.0.0.1:8000"

# Jobs

JobState = Literal["queued", "running", "completed", "failed", "cancelling", "cancelled"]
EndedState = Literal["completed", "failed", "cancelled"]
# What a list of jobs is by; `value` and `finished` leave out those that have none.
JobOrder = Literal["-created", "created", "name", "-name", "finished", "-finished", "value", "-value"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
ENDED: frozenset[str] = frozenset(get_args(EndedState))

OpenUnitState = Literal["queued", "leased"]
OPEN_UNIT_STATES: tuple[OpenUnitState, ...] = get_args(OpenUnitState)

JobEventType = Literal[
    "state", "planned", "design", "cell", "provisional", "not_measurable", "warning", "versions", "discarded", "pruned"
]
JOB_EVENT_TYPES: tuple[JobEventType, ...] = get_args(JobEventType)
# What a stream says, under no number, that ends before there is no more to say.
INTERRUPTED = "interrupted"

Protocol = Literal["independent", "dataeval"]
# Which cells of a study are measured: all, or those that its answer gains most by; what they cost; why no more are.
Plan = Literal["adaptive", "grid"]
CostUnit = Literal["sgd_steps", "training_items"]
StopReason = Literal["decided", "budget", "grid"]
Device = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
# How a job's cells are gone through: one after the other, or the models of several at once.
Engine = Literal["sequential", "stacked"]
EngineChoice = Literal["auto", "sequential", "stacked"]
Direction = Literal["maximize", "minimize"]
# The rule by which a run's subsets are drawn; see `sufficiency.method.sampling`.
Sampling = Literal[1, 2]
NEWEST_SAMPLING: Sampling = 2
ProportionOf = Literal["items", "class_items"]
# Metrics of one family move alike with the size of the training set.
MetricFamily = Literal["accuracy", "ranking", "f", "loss", "regression_error", "r2", "rate"]
METRIC_FAMILIES: tuple[MetricFamily, ...] = get_args(MetricFamily)
# What a metric can take; None: unbounded on that side.
Bounds = tuple[float | None, float | None]
# The class index of a metric with one value, not one a class.
SCALAR = -1

# Catalog

PluginKind = Literal["model", "training", "evaluation", "reset", "dataset", "schedule"]
PLUGIN_KINDS: tuple[PluginKind, ...] = get_args(PluginKind)
DatasetStatus = Literal["verifying", "ready", "invalid"]
# By what a dataset is known again: all that it holds, or its sizes and labels alone.
FingerprintOf = Literal["content", "structure"]
# What a dataset holds to be predicted, and what a plugin is for; "any": for whatever there is, or it does not say.
PluginTask = Literal["classification", "regression", "multilabel", "detection", "any"]
PLUGIN_TASKS: tuple[PluginTask, ...] = get_args(PluginTask)
# What a model is, and what a training strategy trains. A LightningModule is a network too.
Family = Literal["network", "lightning", "estimator"]
FAMILIES: tuple[Family, ...] = get_args(Family)

# Answers

Method = Literal["calibrated", "power_law"]
DEFAULT_METHOD: Method = "calibrated"
# Whose interval: of the mean over as many runs as were measured, on the same test split; of one new training on it; or
# of the mean on all data that the test split was drawn from.
Of = Literal["mean", "one_training", "population"]
# With a value, that a curve needs.
LEAST_STEPS = 3
HORIZON = 1024  # how far targets are looked for, in units of the largest measured size
TargetStatus = Literal["reached", "needs", "beyond_horizon", "unreachable", "undetermined"]
Worth = Literal["yes", "no", "unclear"]
# Of two curves: one surely comes from behind; one is surely ahead, throughout or on one side of where they cross; or
# all differences may be chance.
Told = Literal["overtakes", "ahead", "ahead_before", "ahead_after", "within_noise"]
Limit = Literal[
    "data",
    "steps",
    "trend",
    "training",
    "runs",
    "test_set",
    "model",
    "extrapolation",
    "backtest",
    "scatter",
    "slow",
    "labels",
]
# What a sentence of a verdict claims, and which way.
StatementKind = Literal[
    "now",
    "expected",
    "worth_it",
    "not_worth_it",
    "cannot_be_told",
    "ceiling",
    "no_ceiling",
    "limit",
    "advice",
    "others",
]
Course = Literal["better", "worse", "level"]
# What keeps the metric where it is.
LimitedBy = Literal["data", "model", "training", "labels", "test_split"]
# Most of what is left to the best is missing on other items alone; on the training items too; or neither.
Fitting = Literal["over", "under", "between"]
# Whether any model can reach a target.
Attainable = Literal["demonstrated", "ruled_out", "undecided"]
# Of which models a target is ruled out.
BoundModels = Literal["all", "answering_alike"]
# Who said what least gain counts: the question, the job, or nobody.
GainBasis = Literal["asked", "job", "default"]
MeasurementsView = Literal["cells", "averages"]
ExportFormat = Literal["dataeval", "csv"]
PictureKind = Literal["svg", "png"]
Theme = Literal["light", "dark"]
# The name of a class, its index where it has none, None for a scalar.
ClassLabel = str | int | None

# Webhooks

WebhookEvent = Literal["job.queued", "job.running", "job.cancelling", "job.completed", "job.failed", "job.cancelled"]
WEBHOOK_EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)
WebhookTest = Literal["webhook.test"]
WEBHOOK_TEST: WebhookTest = "webhook.test"
DeliveryState = Literal["pending", "delivered", "failed"]

# Access

# What a key, or a person in a project, may do; each has what is before it.
Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_PROJECT = "default"
PROJECT_HEADER = "Sufficiency-Project"
KEY_PREFIX = "suf_"
