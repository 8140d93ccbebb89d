"""What the specification's examples have in common: one job, from its request to its results."""

from typing import Any

JOB_ID = "019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60"
SPEC_EXAMPLE: dict[str, Any] = {
    "model": {"name": "tutorial-cnn", "params": {}},
    "training": {
        "name": "sgd-classifier",
        "params": {"lr": 0.01, "momentum": 0.9, "epochs": 10, "batch_size": 8},
    },
    "evaluation": {"name": "classification", "params": {"metrics": ["accuracy", "auroc", "tpr_at_fpr"], "fpr": 0.5}},
    "reset": None,
    "dataset": "mnist-2500",
    "runs": 5,
    "substeps": 10,
    "schedule": None,
    "protocol": "independent",
    "metrics": {"Accuracy": {"direction": "maximize", "bounds": [0, 1]}},
    "seed": 0,
    "device": "auto",
    "priority": 0,
    "labels": {"team": "vision"},
}
SHORT_SPEC_EXAMPLE = {
    "model": {"name": "mlp"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification"},
    "dataset": "digits",
}
MEASURED_EXAMPLE = {
    "measured": {
        "model": "resnet",
        "dataset": "street-signs",
        "source": "last year's report",
        "values": [
            {"n": 100, "metric": "Accuracy", "value": 0.71},
            {"n": 200, "metric": "Accuracy", "value": 0.78},
            {"n": 400, "metric": "Accuracy", "value": 0.83},
        ],
    }
}
# What every answer from the curves says of itself.
ANSWER_EXAMPLE: dict[str, Any] = {
    "job_id": JOB_ID,
    "method": "calibrated",
    "method_version": 3,
    "level": 0.95,
    "n_observed": 2500,
    "provisional": False,
}
STEPS_EXAMPLE: list[Any] = [25, 41, 69, 116, 193, 322, 538, 898, 1498, 2500]
