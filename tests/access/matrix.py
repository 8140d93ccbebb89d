"""What the matrix knows of each operation: what it takes, how to ask it, and what it is about.

The needs are written down here a second time, by hand: what the code says of itself proves nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scope = Literal["read", "write", "admin"]
# What an operation is about: an object of a project, or nothing in particular
Subject = Literal["job", "dataset", "webhook", "delivery", "key", "member", "project", "upload", ""]


@dataclass(frozen=True)
class Row:
    """What one operation takes.

    Attributes
    ----------
    need : Scope or None
        None: anybody may.
    about : Subject
        Of what it is asked, once of the caller's own, once of another project's, once of what never was.
    service : bool
        It takes a caller of the service.
    query, body : mapping
        What to send; `{own}` stands for the subject.
    missing : int
        What is answered where the subject is not there for the caller.
    content : bytes or None
        A file to send, in place of a body.
    public : frozenset of int
        What is answered to anybody who asks as no page does.
    """

    need: Scope | None
    about: Subject = ""
    service: bool = False
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    missing: int = 404
    content: bytes | None = None
    public: frozenset[int] = frozenset({200, 303, 307})


SPEC = {
    "model": {"name": "mlp"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification"},
    "dataset": "small",
    "runs": 1,
    "substeps": 3,
}
SPLIT = {"loader": "npz", "params": {"path": "a.npz"}}
TABLE = b"age,kind\n41,a\n52,b\n"
NEW_HOOK = {"url": "https://hooks.example.org/{new}", "events": ["job.failed"]}

ROWS: dict[str, Row] = {
    # Nothing in them is anybody's
    "livez": Row(None),
    "readyz": Row(None),
    "get_version": Row(None),
    "openapi": Row(None),
    "start": Row(None),
    "docs": Row(None),
    "static_file": Row(None),
    # Signing in on the page; tests of their own have what these ask for instead of a key
    "get_session": Row(None),
    "sign_in": Row(None, public=frozenset({403})),
    "sign_out": Row(None, public=frozenset({403})),
    "look_at_project": Row(None, public=frozenset({403})),
    "go_to_provider": Row(None, public=frozenset({404})),
    "come_from_provider": Row(None, public=frozenset({404})),
    # What all projects share
    "list_plugins": Row("read"),
    "get_plugin": Row("read"),
    "list_workers": Row("read"),
    # Datasets
    "list_datasets": Row("read"),
    "create_dataset": Row("write", body={"name": "{new}", "train": SPLIT, "test": SPLIT}),
    "get_dataset": Row("read", "dataset"),
    "get_dataset_preview": Row("read", "dataset"),
    "verify_dataset": Row("write", "dataset"),
    "delete_dataset": Row("write", "dataset"),
    "list_dataset_versions": Row("read", "dataset"),
    "create_dataset_version": Row("write", "dataset", body={"train": SPLIT}),
    "list_uploads": Row("read"),
    "put_upload": Row("write", content=TABLE),
    "delete_upload": Row("write", "upload"),
    # Jobs; that of a dataset which is not there for the caller is a mistake in the body
    "list_jobs": Row("read"),
    "create_job": Row("write", "dataset", body={**SPEC, "dataset": "{own}"}, missing=422),
    "get_job": Row("read", "job"),
    "follow_job": Row("read", "job"),
    "cancel_job": Row("write", "job"),
    "retry_job": Row("write", "job", query={"start_anew": "true"}),
    "extend_job": Row("write", "job", query={"dry_run": "true"}, body={"runs": 2}),
    "change_job": Row("write", "job", body={"note": "mine"}),
    "delete_job": Row("write", "job"),
    "refit_job": Row("write", "job"),
    # Results
    "list_measurements": Row("read", "job"),
    "list_cells": Row("read", "job"),
    "project": Row("read", "job", query={"n": 5000}),
    "inv_project": Row("read", "job", query={"target": "Accuracy:0.9"}),
    "verdict": Row("read", "job"),
    "list_curves": Row("read", "job"),
    "export_job": Row("read", "job"),
    "get_figure": Row("read", "job"),
    "plot_job": Row("read", "job"),
    "compare_jobs": Row("read", "job", query={"job": ["{mine}", "{own}"]}),
    "list_forecasts": Row("read"),
    "decision_of": Row("read", "job", query={"price": 1.5, "value": 200}),
    "decision_figure": Row("read", "job", query={"price": 1.5, "value": 200}),
    "plot_decision": Row("read", "job", query={"price": 1.5, "value": 200}),
    "report_of": Row("read", "job"),
    "gate": Row("read", "job", query={"target": "Accuracy:0.9"}),
    "get_job_logs": Row("read", "job"),
    "follow_job_logs": Row("read", "job"),
    # Webhooks
    "list_webhooks": Row("read"),
    "create_webhook": Row("write", body=NEW_HOOK),
    "get_webhook": Row("read", "webhook"),
    "change_webhook": Row("write", "webhook", body={"description": "mine"}),
    "delete_webhook": Row("write", "webhook"),
    "rotate_webhook_secret": Row("write", "webhook"),
    "test_webhook": Row("write", "webhook"),
    "list_deliveries": Row("read", "webhook"),
    "get_delivery": Row("read", "delivery"),
    "replay_delivery": Row("write", "delivery"),
    # Access itself
    "get_caller": Row("read"),
    "list_projects": Row("read"),
    "list_keys": Row("admin"),
    "create_key": Row("admin", body={"name": "more"}),
    "rotate_key": Row("admin", "key"),
    "revoke_key": Row("admin", "key"),
    "list_members": Row("admin"),
    "put_member": Row("admin", body={"role": "read"}),
    "remove_member": Row("admin", "member"),
    "list_audit": Row("admin"),
    "get_project": Row("read", "project"),
    "change_project": Row("admin", "project", service=True, body={"quotas": {"open_jobs": 5}}),
    "create_project": Row("admin", service=True, body={"name": "{new}"}),
    "delete_project": Row("admin", "project", service=True),
    "metrics": Row("read", service=True),
}


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return a query or a body with its places filled."""
    if isinstance(value, str):
        return value.format_map(names) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    return value


Make = Callable[[], str]
