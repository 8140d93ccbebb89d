"""The dashboard asks for what /metrics has."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import Servers

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "sufficiency.json").read_text()
)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
OF_PROMETHEUS = {"instance"}  # put on by the scrape


def test_every_metric_and_label_of_the_dashboard_exists(url: str, servers: Servers) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        http.get("/jobs")
        text = http.get("/metrics").text
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    assert QUERIES
    for query in QUERIES:
        names = set(re.findall(r"\bsufficiency_\w+", query))
        assert names, query
        assert names <= labels.keys(), query
        known = set().union(*(labels[name] for name in names)) | OF_PROMETHEUS
        used = {word.strip() for group in re.findall(r"by \(([^)]*)\)", query) for word in group.split(",")}
        used |= set(re.findall(r"[{,](\w+)\s*=~?", query))
        assert used <= known, query


def test_every_metric_of_the_service_is_on_the_dashboard(url: str) -> None:
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=60).text
    families = {family.name for family in text_string_to_metric_families(text) if "_created" not in family.name}
    assert {name for name in families if not any(name in query for query in QUERIES)} == set()


def test_panels_do_not_cover_each_other_and_ask_the_chosen_source() -> None:
    places = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places
        places |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
