"""`gate` and `decide`: what pipelines and buyers read of them, word for word what the service answers."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from sufficiency.cli.gates import junit, junit_unanswered, markdown
from tests.support.command_line import Run

MET, MISSED = "Accuracy:0.5", "Accuracy:0.999"


def test_a_gate_that_is_passed_ends_with_0_and_one_that_is_not_with_1(
    sufficiency: Run, url: str, measured: str, nobody: str
) -> None:
    passed = sufficiency("gate", measured, "--target", MET, "--url", url)
    assert passed.code == 0
    assert passed.out.startswith("passed: Accuracy is 0.891 at n = 400 and meets 0.500 with ")
    failed = sufficiency("gate", measured, "--target", MET, "--target", MISSED, "--url", url)
    assert failed.code == 1
    assert [line.split(":")[0] for line in failed.out.splitlines()] == ["passed", "not passed"]
    assert "80 % is asked for." in failed.out
    # A pipeline must not take misuse, or a service that is not there, for a target that is met.
    assert sufficiency("gate", measured, "--url", url).code == 2
    assert sufficiency("gate", measured, "--target", MET, "--probability", "1.5", "--url", url).code == 2
    assert sufficiency("gate", measured, "--target", MET, "--url", nobody).code == 3
    unknown = sufficiency("gate", measured, "--target", "Speed:0.5", "--url", url)
    assert (unknown.code, unknown.out) == (1, "")
    assert "Speed" in unknown.err


def test_a_gate_asks_for_a_probability_and_at_a_size(sufficiency: Run, url: str, measured: str) -> None:
    def checked(*more: str) -> tuple[int, float]:
        outcome = sufficiency("gate", measured, "--target", "Accuracy:0.9", "--json", "--url", url, *more)
        return outcome.code, json.loads(outcome.out)["checks"][0]["probability"]

    now = checked()
    assert now[0] == 1
    assert 0 < now[1] < 0.8
    assert checked("--probability", f"{now[1] / 2}") == (0, now[1])
    larger = checked("--n", "3200")
    assert larger[1] > now[1]


def test_junit_has_a_case_a_target(sufficiency: Run, url: str, measured: str, tmp_path: Path) -> None:
    file = tmp_path / "gate.xml"
    outcome = sufficiency(
        *("gate", measured, "--target", MET, "--target", MISSED, "--target", "Recall:0.2"),
        *("--junit", str(file), "--json", "--url", url),
    )
    answer = json.loads(outcome.out)
    suite = ElementTree.parse(file).getroot()
    cases = suite.findall("testcase")
    assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("testsuite", "4", "1", "0")
    assert [case.get("name") for case in cases] == [
        "Accuracy: 0.5",
        "Accuracy: 0.999",
        "Recall of cat: 0.2",
        "Recall of dog: 0.2",
    ]
    for case, check in zip(cases, answer["checks"], strict=True):
        failure = case.find("failure")
        assert (failure is None) == check["passed"]
        told = case.find("system-out") if failure is None else failure
        assert told is not None
        assert told.text == check["sentence"]
    assert {one.get("name"): one.get("value") for one in suite.iter("property")}["job_id"] == measured


def test_a_summary_is_added_to_what_a_pipeline_has_written(
    sufficiency: Run, url: str, measured: str, tmp_path: Path
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("# The step before\n")
    for target in (MET, MISSED):
        sufficiency("gate", measured, "--target", target, "--summary", str(file), "--url", url)
    text = file.read_text()
    assert text.startswith("# The step before\n## Sufficiency gate: passed\n")
    assert "## Sufficiency gate: not passed" in text
    assert f"Job `{measured}`, at n = 400; each target with 80 %." in text
    assert [line[:22] for line in text.splitlines() if line.startswith(("| ✅", "| ❌"))] == [
        "| ✅ | Accuracy: 0.5 | ",
        "| ❌ | Accuracy: 0.999 ",
    ]


def test_a_gate_without_an_answer_leaves_no_earlier_one_standing(
    sufficiency: Run, url: str, measured: str, nobody: str, tmp_path: Path
) -> None:
    file, summary = tmp_path / "gate.xml", tmp_path / "summary.md"
    forms = ("--junit", str(file), "--summary", str(summary))
    assert sufficiency("gate", measured, "--target", MET, *forms, "--url", url).code == 0
    for where, target, code, why in ((url, "Speed:0.5", 1, "no metric 'Speed'"), (nobody, MET, 3, "no answer from")):
        assert sufficiency("gate", measured, "--target", target, *forms, "--url", where).code == code
        suite = ElementTree.parse(file).getroot()
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
        [case] = suite.findall("testcase")
        error = case.find("error")
        assert error is not None
        assert (case.get("name"), why in (error.text or "")) == (target, True)
        assert summary.read_text().splitlines()[-3] == "## Sufficiency gate: no answer"
        assert why in summary.read_text().splitlines()[-1]


def test_names_of_strangers_break_neither_form() -> None:
    name = 'a|b <c> & "d" \x1b[2J\x00 ]]>'
    check = {
        "metric": name,
        "class": None,
        "target": 0.5,
        "value": 0.6,
        "lower": 0.5,
        "upper": 0.7,
        "probability": 0.9,
        "passed": False,
        "sentence": f"{name} is missed.",
    }
    answer = {
        "job_id": "019a",
        "n": 400,
        "probability": 0.8,
        "method": "calibrated",
        "provisional": False,
        "passed": False,
        "checks": [check],
        "warnings": [],
    }
    assert ElementTree.fromstring(junit_unanswered(name, [name], name)).find("testcase/error") is not None
    case = ElementTree.fromstring(junit(answer)).find("testcase")
    assert case is not None
    assert case.get("name") == 'a|b <c> & "d" [2J ]]>: 0.5'
    [row] = [line for line in markdown(answer).splitlines() if line.startswith("| ❌")]
    assert row.replace("\\|", "").count("|") == 6, "a name does not make a column"


def test_a_summary_says_that_it_is_provisional_and_each_warning_once() -> None:
    thin = {"code": "too_short", "class": None, "detail": "4 steps show little."}
    answer = {
        **dict.fromkeys(("passed", "provisional"), True),
        "job_id": "019a",
        "n": 400,
        "probability": 0.8,
        "checks": [],
        "warnings": [{**thin, "metric": metric} for metric in ("Accuracy", "AUROC")],
    }
    assert markdown(answer).splitlines()[-3:] == [
        "> Provisional: the job has not completed.",
        "",
        "> Accuracy, AUROC: 4 steps show little.",
    ]


@pytest.mark.parametrize("place", ["--junit", "--summary"])
def test_a_file_that_cannot_be_written_is_misuse_not_a_verdict(
    sufficiency: Run, url: str, measured: str, tmp_path: Path, place: str
) -> None:
    outcome = sufficiency("gate", measured, "--target", MET, place, str(tmp_path / "no" / "such"), "--url", url)
    assert outcome.code == 2
    assert "cannot be written" in outcome.err


def test_decide_prints_the_decision_that_the_service_makes(sufficiency: Run, url: str, measured: str) -> None:
    terms = {"price": 0.1, "target": "Accuracy:0.93", "penalty": 2000, "rounds": 3, "round_cost": 5}
    answer = httpx.get(f"{url}/jobs/{measured}/decision", params=terms, timeout=60).json()
    options = [part for name, value in terms.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    outcome = sufficiency("decide", measured, *options, "--url", url)
    assert outcome.code == 0, outcome.err
    assert " ".join(outcome.out.split()).startswith(answer["sentence"])
    assert answer["buy"] > 0
    told = [line.split()[0].replace(",", "") for line in outcome.out.splitlines() if re.match(r" *\d", line)]
    weighed = [one["items"] for one in answer["purchases"]]
    assert {"0", str(answer["buy"]), str(weighed[-1])} <= set(told)
    assert f"(and {len(weighed) - len(told)} purchases between them: --json)" in outcome.out
    assert len(told) < 10 < len(weighed)
    assert json.loads(sufficiency("decide", measured, *options, "--json", "--url", url).out)["buy"] == answer["buy"]
    nothing = sufficiency("decide", measured, "--price", "1000000", "--value", "1", "--url", url)
    assert nothing.code == 0
    assert nothing.out.startswith("Buy nothing: ")


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        pytest.param(["--price", "-1", "--value", "1"], 1, "price", id="negative"),
        pytest.param(["--price", "1"], 1, "say what the metric is worth", id="no aim"),
        pytest.param(["--price", "1", "--value", "1", "--target", "0.9"], 1, "target", id="two aims"),
        pytest.param(["--price", "1", "--value", "1", "--rounds", "0"], 1, "rounds", id="no rounds"),
        pytest.param(["--price", "1", "--target", "Accuracy:2", "--penalty", "9"], 1, "Accuracy", id="out of bounds"),
        pytest.param(["--value", "1"], 2, "--price", id="no price"),
        pytest.param(["--price", "1", "--value", "1", "-o", "money.pdf"], 2, ".svg or .png", id="another picture"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused_with_what_would_be_right(
    sufficiency: Run, url: str, measured: str, options: list[str], code: int, told: str
) -> None:
    outcome = sufficiency("decide", measured, *options, "--url", url)
    assert (outcome.code, outcome.out) == (code, "")
    assert told in outcome.err


def test_what_money_buys_is_drawn_to_a_file(sufficiency: Run, url: str, measured: str, tmp_path: Path) -> None:
    file = tmp_path / "money.svg"
    outcome = sufficiency("decide", measured, "--price", "0.1", "--value", "500", "-o", str(file), "--url", url)
    assert outcome.code == 0, outcome.err
    assert ElementTree.parse(file).getroot().tag.endswith("svg")
