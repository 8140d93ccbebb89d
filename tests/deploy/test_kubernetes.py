"""The Kubernetes manifest: whole by the schemas of Kubernetes and KEDA, and of one mind with compose file and code."""

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import psycopg
import pytest
import yaml
from sqlalchemy import make_url

import sufficiency
from app.settings import Settings
from tests.support.packaging import COMPOSE, DOCKERFILE, ROOT, SETTINGS, python
from tests.support.service import Service

keda = importlib.import_module("cloudcoil.models.keda.v1alpha1")

MANIFEST = ROOT / "deploy" / "kubernetes" / "sufficiency.yaml"
RESOURCES: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text()))
KEDA = [resource for resource in RESOURCES if resource["apiVersion"].startswith("keda.sh/")]
CORE = [resource for resource in RESOURCES if resource not in KEDA]
SCALED = [resource for resource in KEDA if resource["kind"] == "ScaledObject"]
# The oldest with a `sleep` before the end of a pod, and the newest that there are schemas of
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def name_of(resource: dict[str, Any]) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in CORE:
        if resource["kind"] in ("Deployment", "Job"):
            yield resource["metadata"]["name"], resource["spec"]["template"]["spec"]


def container(pod: dict[str, Any]) -> dict[str, Any]:
    [only] = pod["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("resource", CORE, ids=name_of)
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_it(resource: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("resource", KEDA, ids=name_of)
def test_keda_takes_it(resource: dict[str, Any]) -> None:
    model = getattr(keda, resource["kind"]).model_validate(resource)
    # A field that the model does not know is dropped by it; so nothing may be lacking afterwards.
    assert model.model_dump(mode="json", by_alias=True, exclude_unset=True) == resource


def test_names_refer_to_what_is_there() -> None:
    there = {name_of(resource) for resource in RESOURCES}
    assert len(there) == len(RESOURCES)
    for scaled in SCALED:
        assert f"Deployment/{scaled['spec']['scaleTargetRef']['name']}" in there
        for trigger in scaled["spec"]["triggers"]:
            assert f"TriggerAuthentication/{trigger['authenticationRef']['name']}" in there
    for resource in CORE:
        labels = resource["metadata"]["labels"]
        selector = resource["spec"].get("selector") if "spec" in resource else None
        if resource["kind"] == "Deployment":
            assert selector["matchLabels"] == resource["spec"]["template"]["metadata"]["labels"] == labels
        elif resource["kind"] in ("Service", "PodDisruptionBudget"):
            api = next(one for one in CORE if name_of(one) == "Deployment/sufficiency-api")
            assert selector.get("matchLabels", selector) == api["spec"]["selector"]["matchLabels"]
    text = MANIFEST.read_text()
    told = set(re.findall(r"--from-literal=([a-z-]+)=", text))
    mounted = set(re.findall(r"\bsecretName: sufficiency\n *items: \[\{key: ([a-z-]+)", text))
    assert set(re.findall(r"\bname: sufficiency,? *\n? *key: ([a-z-]+)", text)) | mounted == told


def test_scaled_deployments_leave_their_replicas_to_keda() -> None:
    for scaled in SCALED:
        deployment = next(
            one for one in CORE if name_of(one) == f"Deployment/{scaled['spec']['scaleTargetRef']['name']}"
        )
        assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_pods_run_what_the_compose_file_and_a_native_installation_run(name: str, pod: dict[str, Any]) -> None:
    service = {
        "sufficiency-migrate": "migrate",
        "sufficiency-api": "api",
        "sufficiency-worker": "worker",
        "sufficiency-worker-cuda": "worker-gpu",
    }[name]
    own, theirs = container(pod), COMPOSE["services"][service]
    assert own["args"] == theirs["command"]
    assert own["image"] == theirs["image"].replace("-gpu:", ":")
    assert own["image"].endswith(f":{sufficiency.__version__}"), "the version that this is of, and no other"
    assert own["securityContext"]["readOnlyRootFilesystem"]
    assert theirs["read_only"]
    assert [mount["mountPath"] for mount in own["volumeMounts"] if not mount.get("readOnly")] == theirs["tmpfs"]
    assert python("-m", "sufficiency.cli", *own["args"], "--help")
    set_here = {variable["name"] for variable in own["env"]}
    assert set_here <= SETTINGS
    config = next(one for one in CORE if one["kind"] == "ConfigMap")
    assert set(config["data"]) <= SETTINGS
    own_values = {variable["name"]: variable["value"] for variable in own["env"] if "value" in variable}
    assert own_values.items() <= {**theirs["environment"], "SUFFICIENCY_SLOTS": "1"}.items()
    assert pod["securityContext"]["runAsUser"] == int(re.search(r"--uid (\d+)", DOCKERFILE)[1])  # type: ignore[index]
    if grace := theirs.get("stop_grace_period"):
        assert pod["terminationGracePeriodSeconds"] == int(grace.removesuffix("s"))
        assert pod["terminationGracePeriodSeconds"] > Settings().cancel_grace_seconds + 10


def test_probes_ask_what_there_is() -> None:
    spec = json.loads((ROOT / "docs" / "openapi.json").read_text())
    checks = [json.loads(check) for check in re.findall(r"HEALTHCHECK [^\n]*\n\s+CMD (\[.*\])\n", DOCKERFILE)]
    asked = 0
    for _, pod in pods():
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container(pod).get(kind)
            if probe is None:
                continue
            asked += 1
            if "exec" in probe:
                assert probe["exec"]["command"] in checks, "the image's own health check"
            else:
                assert "get" in spec["paths"][probe["httpGet"]["path"]]
    assert asked == 5


def queries() -> dict[str, str]:
    found = {}
    for scaled in SCALED:
        [trigger] = scaled["spec"]["triggers"]
        assert trigger["type"] == "postgresql"
        assert set(trigger["metadata"]) == {"query", "targetQueryValue"}
        found[scaled["metadata"]["name"]] = trigger["metadata"]["query"]
    return found


def wanted(service: Service) -> dict[str, int]:
    """Ask what KEDA would ask, as it would: one row, one number."""
    url = make_url(service.settings.database_url).set(drivername="postgresql")
    counts = {}
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        for name, query in queries().items():
            [(count,)] = connection.execute(query.encode()).fetchall()
            counts[name] = count
    return counts


def test_workers_are_scaled_on_the_work_of_their_device(service: Service) -> None:
    cpu, cuda = "sufficiency-worker", "sufficiency-worker-cuda"
    assert wanted(service) == {cpu: 0, cuda: 0}
    job = service.submit()
    first = wanted(service)
    assert first[cpu] > 0
    assert first[cuda] == 0
    claimed, _ = service.claim(job["id"])
    assert wanted(service) == first, "a unit that is held keeps its worker"
    service.record(claimed)
    assert wanted(service)[cpu] == first[cpu] - 1
    service.work(job["id"])
    assert wanted(service)[cpu] == 0, "what is done asks for no one"
    other = service.submit(device="cuda")
    assert wanted(service)[cuda] > 0
    service.client.post(f"/jobs/{other['id']}/cancel")
    assert wanted(service) == {cpu: 0, cuda: 0}


def test_the_scaler_reads_open_units_alone(service: Service) -> None:
    """Its cost must not grow with what was done before: it is asked every few seconds, for ever."""
    url = make_url(service.settings.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute("SET enable_seqscan = off")
        for query in queries().values():
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}".encode()))
            assert {"ix_unit_open", "ix_unit_turn"} & set(re.findall(r"ix_\w+", plan)), plan  # both of open units alone


@pytest.mark.parametrize("name", ["sufficiency-worker", "sufficiency-worker-cuda"])
def test_trainers_are_ended_before_their_pod_is(name: str) -> None:
    own = container(dict(pods())[name])
    [told] = [one for one in own["env"] if one["name"] == "SUFFICIENCY_WORKER_MEMORY"]
    assert told["valueFrom"] == {"resourceFieldRef": {"resource": "limits.memory"}}
    limit = int(own["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30
    settings = Settings(worker_memory=limit, slots=1)
    assert settings.trainer_memory is not None
    assert 0.5 * limit < settings.trainer_memory < limit - 400 * 2**20


def test_what_runs_plugins_reaches_no_more_than_it_needs() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in CORE if one["kind"] == "NetworkPolicy"}
    worker = policies["sufficiency-worker"]
    assert set(worker["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in worker
    [egress] = worker["egress"]
    assert {port["port"] for port in egress["ports"]} == {53, 5432, 6379}
    chosen = {value for one in worker["podSelector"]["matchExpressions"] for value in one["values"]}
    components = {resource["metadata"]["labels"].get("app.kubernetes.io/component") for resource in CORE}
    assert components - {None, "api"} <= chosen
    [ingress] = policies["sufficiency-api"]["ingress"]
    assert ingress["ports"] == [{"port": "http", "protocol": "TCP"}]


def test_nothing_has_a_password_that_everybody_knows() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"PASSWORD: \S|PASSWORD:-|://\w+:[^@/]+@", text)
    for service in COMPOSE["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if "PASSWORD" in name:
                assert value == "/run/secrets/postgres-password"
                assert "postgres-password" in str(service["secrets"])
