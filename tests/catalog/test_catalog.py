"""Plugins, datasets and workers."""

from sqlalchemy import delete, text, update

from app.catalog.plugins import advertise
from app.db.tables import Plugin, Worker
from tests.support.service import NAMES, PLUGINS, Service, pointers, problem


def test_plugins_are_listed_by_kind_and_page(service: Service) -> None:
    everything = service.client.get("/plugins").json()
    assert [f"{p['kind']}:{p['name']}" for p in everything["items"]] == sorted(NAMES)
    assert everything["next_cursor"] is None
    models = service.client.get("/plugins", params={"kind": "model"}).json()["items"]
    assert [p["name"] for p in models] == ["mlp", "tutorial-cnn"]
    seen, cursor = [], None
    while True:
        page = service.client.get("/plugins", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [f"{p['kind']}:{p['name']}" for p in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == sorted(NAMES)


def test_a_plugin_is_available_while_a_live_worker_offers_it(service: Service) -> None:
    address = "/plugins/model/mlp"
    assert service.client.get(address).json()["available"] is False
    worker_id = service.worker(plugins=["model:mlp"])
    assert service.client.get(address).json()["available"] is True
    assert service.client.get("/plugins/model/tutorial-cnn").json()["available"] is False
    with service.database.transaction() as session:
        session.execute(
            update(Worker).where(Worker.id == worker_id).values(heartbeat_at=text("now() - interval '2 minutes'"))
        )
    assert service.client.get(address).json()["available"] is False
    worker = service.client.get("/workers").json()["items"][0]
    assert (worker["id"], worker["live"], worker["slots"]) == (str(worker_id), False, 2)


def test_an_unknown_plugin_is_answered_with_what_is_like_it(service: Service) -> None:
    assert (
        "tutorial-cnn" in problem(service.client.get("/plugins/model/tutorial-cn"), 404, "plugin_not_found")["detail"]
    )
    problem(service.client.get("/plugins/nonsense/mlp"), 422)
    assert pointers(problem(service.client.get("/plugins?kind=nonsense"), 422)) == ["kind"]


def test_before_a_worker_has_offered_any_it_is_said_that_one_soon_may(service: Service) -> None:
    with service.database.transaction() as session:
        session.execute(delete(Plugin))
    said = problem(service.client.post("/datasets", json=BODY | {"name": "early"}), 422)["errors"][0]["detail"]
    assert "no worker has offered any dataset plugin yet" in said
    assert "within seconds" in said
    assert "GET /plugins" in said


def test_a_plugin_advertised_again_is_updated(service: Service) -> None:
    with service.database.transaction() as session:
        advertise(session, [PLUGINS[0] | {"version": "2.0"}])
    assert service.client.get("/plugins/model/mlp").json()["version"] == "2.0"


BODY = {
    "name": "digits",
    "train": {"loader": "digits", "params": {"split": "train"}},
    "test": {"loader": "digits", "params": {"split": "test"}},
}


def test_a_dataset_is_registered_once(service: Service) -> None:
    created = service.client.post("/datasets", json=BODY)
    assert created.status_code == 201
    assert created.headers["location"] == "/datasets/digits"
    dataset = created.json()
    assert (dataset["status"], dataset["info"], dataset["fingerprint"]) == ("verifying", None, None)
    assert dataset["queued_reason"] == "no worker is running"
    again = service.client.post("/datasets", json=BODY)
    assert (again.status_code, again.json()["id"]) == (200, dataset["id"])
    other = service.client.post("/datasets", json=BODY | {"test": BODY["train"]})
    problem(other, 409, "dataset_exists")
    assert service.client.get("/datasets/digits").json() == dataset


def test_a_verified_dataset_says_what_is_in_it(service: Service) -> None:
    ready = service.client.get("/datasets/small").json()
    assert (ready["status"], ready["info"]["train"]["size"], ready["fingerprint"]) == ("ready", 1000, "sha256:1")
    assert ready["queued_reason"] is None
    service.dataset("broken", status="invalid")
    broken = service.client.get("/datasets/broken").json()
    assert (broken["status"], broken["error"]["code"]) == ("invalid", "dataset_invalid")
    names = [d["name"] for d in service.client.get("/datasets").json()["items"]]
    assert names == ["broken", "small"]
    page = service.client.get("/datasets?limit=1").json()
    assert [d["name"] for d in page["items"]] == ["broken"]
    rest = service.client.get("/datasets", params={"cursor": page["next_cursor"]}).json()
    assert [d["name"] for d in rest["items"]] == ["small"]


def test_a_bad_dataset_is_refused_at_the_field(service: Service) -> None:
    def refused(**changes: object) -> list[str]:
        return pointers(problem(service.client.post("/datasets", json=BODY | changes), 422))

    assert refused(name="../x") == ["#/name"]
    assert refused(name="") == ["#/name"]
    assert refused(name="a\n") == ["#/name"]
    assert refused(train={"loader": "nonsense"}) == ["#/train/loader"]
    assert refused(train={"loader": "digits", "params": {}}) == ["#/train/params/split"]
    assert refused(test={"loader": "digits", "params": {"split": "all"}}) == ["#/test/params/split"]
    assert refused(test={"loader": "npz", "params": {"path": "x", "y~/z": 1}}) == ["#/test/params/y~0~1z"]
    assert refused(extra=1) == ["#/extra"]


def test_a_dataset_in_use_is_not_deleted(service: Service) -> None:
    job = service.submit()
    problem(service.client.delete("/datasets/small"), 409, "dataset_in_use")
    service.client.post(f"/jobs/{job['id']}/cancel")
    problem(service.client.delete("/datasets/small"), 409, "dataset_in_use")
    assert service.client.delete(f"/jobs/{job['id']}").status_code == 204
    assert service.client.delete("/datasets/small").status_code == 204
    problem(service.client.get("/datasets/small"), 404, "dataset_not_found")
    problem(service.client.delete("/datasets/small"), 404, "dataset_not_found")


def test_a_plugin_that_declares_nonsense_harms_only_itself(service: Service) -> None:
    broken = PLUGINS[0] | {"name": "broken", "params_schema": {"type": "strange"}}
    dangling = PLUGINS[0] | {"name": "dangling", "params_schema": {"$ref": "http://127.0.0.1:9/schema"}}
    vague = next(p for p in PLUGINS if p["kind"] == "evaluation") | {
        "name": "vague",
        "capabilities": {"metrics": {"A": {"bounds": "wide"}, "B": {"bounds": [0, 9]}}},
    }
    with service.database.transaction() as session:
        advertise(session, [broken, dangling, vague])
    for name in ("broken", "dangling"):
        refused = problem(service.client.post("/jobs", json=service.spec(model={"name": name})), 422)
        assert pointers(refused) == ["#/model/name"]
    assert set(service.submit(evaluation={"name": "vague"})["metrics"]) == {"B"}
