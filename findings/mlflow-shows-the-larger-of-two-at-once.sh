#!/usr/bin/env bash
# MLflow 3.17.2: of values of a metric that are logged within a millisecond a run shows the largest, not the last; equal ones are kept once.
#
# Expected: a run shows the value that was logged last. Seen: it shows that of the largest step, then of the latest millisecond, then the
# largest. Who logs without a step (all are 0 then), or a batch, has a falling loss shown at its worst, and the history in order
# of value; ten equal values at one moment are one in a database, and ten in a folder of files. Which of several counts is not documented.
# The product gives each value its size as the step, and a later export a later time, so that the newer one is shown
# (sufficiency/client/mlflow.py).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1
seen 2>"$FOLDER/log" <<'PYTHON' || { cat "$FOLDER/log" >&2; exit 1; }
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

client = MlflowClient("sqlite:///runs.db")
run = client.create_run(client.create_experiment("falling")).info.run_id
falling = [0.9, 0.7, 0.5, 0.3]
for value in falling:
    client.log_metric(run, "loss", value, timestamp=1_700_000_000_000)
client.log_batch(run, [Metric("batch", value, 1_700_000_000_000, 0) for value in falling])
client.log_batch(run, [Metric("same", 0.5, 1_700_000_000_000, 0) for _ in range(10)])
shown = dict(sorted(client.get_run(run).data.metrics.items()))
history = {name: [one.value for one in client.get_metric_history(run, name)] for name in ("loss", "same")}
print(f"mlflow {mlflow.__version__}: {falling} are logged; shown {shown}; history {history}")
assert shown == {"batch": 0.9, "loss": 0.9, "same": 0.5}, "the last value is shown now"
assert history == {"loss": sorted(falling), "same": [0.5]}
PYTHON
