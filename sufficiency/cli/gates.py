"""What a gate found, in the forms that pipelines read: JUnit's XML, and Markdown for the summary of a run."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sufficiency.schemas.text import number, percent, warned


def junit(answer: Mapping[str, Any]) -> bytes:
    """Return a gate's answer as JUnit's XML, a test case a target."""
    failed = [check for check in answer["checks"] if not check["passed"]]
    suite = Element(
        "testsuite", name="sufficiency gate", tests=str(len(answer["checks"])), failures=str(len(failed)), errors="0"
    )
    properties = SubElement(suite, "properties")
    for name in ("job_id", "n", "probability", "method", "provisional"):
        SubElement(properties, "property", name=name, value=str(answer[name]))
    for check in answer["checks"]:
        case = SubElement(suite, "testcase", classname=f"sufficiency.{answer['job_id']}", name=_name(check))
        if not check["passed"]:
            SubElement(case, "failure", message=_plain(check["sentence"])).text = _plain(check["sentence"])
        else:
            SubElement(case, "system-out").text = _plain(check["sentence"])
    return _written(suite)


def junit_unanswered(id: str, targets: Sequence[str], why: str) -> bytes:
    """Return JUnit's XML of a gate that had no answer, a case a target: else that of an earlier one stands."""
    many = str(len(targets))
    suite = Element("testsuite", name="sufficiency gate", tests=many, failures="0", errors=many)
    for target in targets:
        case = SubElement(suite, "testcase", classname=f"sufficiency.{_plain(id)}", name=_plain(target))
        SubElement(case, "error", message=_plain(why)).text = _plain(why)
    return _written(suite)


def markdown_unanswered(id: str, why: str) -> str:
    """Return Markdown of a gate that had no answer."""
    return f"## Sufficiency gate: no answer\n\nJob `{_plain(id)}`: {_plain(why)}\n"


def markdown(answer: Mapping[str, Any]) -> str:
    """Return a gate's answer as Markdown."""
    lines = [
        f"## Sufficiency gate: {'passed' if answer['passed'] else 'not passed'}",
        "",
        f"Job `{answer['job_id']}`, at n = {answer['n']:,}; each target with {percent(answer['probability'])}.",
        "",
        "| | target | value | 95 % interval | met with |",
        "|---|---|---|---|---|",
    ]
    for check in answer["checks"]:
        mark = "✅" if check["passed"] else "❌"
        interval = f"{number(check['lower'])} to {number(check['upper'])}"
        cells = [mark, _cell(_name(check)), number(check["value"]), interval, percent(check["probability"])]
        lines.append(f"| {' | '.join(cells)} |")
    if answer["provisional"]:
        lines.append("\n> Provisional: the job has not completed.")
    lines += [f"\n> {_plain(warning)}" for warning in warned(answer["warnings"])]
    return "\n".join(lines) + "\n"


def _written(suite: Element) -> bytes:
    indent(suite)
    made: bytes = tostring(suite, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _name(check: Mapping[str, Any]) -> str:
    label = "" if check.get("class") is None else f" of {check['class']}"
    return _plain(f"{check['metric']}{label}: {check['target']:g}")


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(letter for letter in text if letter in "\t\n" or ord(letter) >= 32)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
