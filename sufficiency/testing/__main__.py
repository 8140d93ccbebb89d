"""Holds plugins to the contract: ``python -m sufficiency.testing MODULE[:ATTRIBUTE]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from sufficiency.client.client import Client
from sufficiency.client.errors import ClientError, ServiceUnreachable
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents
from sufficiency.exits import MISUSED, UNREACHABLE
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.testing.contract import findings_of, plugin_checks
from sufficiency.testing.setting import Setting, sample_setting
from sufficiency.training.registry import DatasetContext, PluginError, Registry


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the arguments name; print the findings and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="sufficiency plugins check",
        description="Check a plugin against what the service asks of it, and say what to do where it fails.",
        epilog="example: sufficiency plugins check mystudy:Adam --model mystudy:Net --shape 1,28,28 --classes 10",
    )
    parser.add_argument("target", metavar="MODULE[:ATTRIBUTE]", help="a plugin, or a module of plugins")
    parser.add_argument("--kind", choices=PLUGIN_KINDS, help="of the plugin, where its methods do not tell")
    parser.add_argument("--params", type=json.loads, default={}, metavar="JSON", help="of the plugin")
    parser.add_argument(
        "--model", metavar="MODULE:ATTRIBUTE", help="model to try strategies with; a small network else"
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME or MODULE:ATTRIBUTE",
        help="shape and classes of a dataset that is registered, or a loader to try with; random images else",
    )
    parser.add_argument("--url", help="of the service that has the dataset; else SUFFICIENCY_URL, else this machine's")
    parser.add_argument("--shape", help="of a random item, such as 3,32,32; else what the model takes, or 1,8,8")
    parser.add_argument(
        "--classes", type=int, help="of the random items; else what the model answers, or 3; 0: numbers"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(arguments)
    sys.path.insert(0, "")  # as for `python -c`: a module beside the user is found
    try:
        checks = plugin_checks(options.target, options.kind, _setting(options), params=options.params)
        findings = findings_of(checks)
    except ClientError as error:
        print(f"error: {error}", file=sys.stderr)
        return UNREACHABLE if isinstance(error, ServiceUnreachable) else MISUSED
    except (LookupError, PluginError, DatasetError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return MISUSED
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(str, findings)))
        failed = sum(finding.failed for finding in findings)
        print(f"\n{len(findings)} checks, {failed} failed" if failed else f"\n{len(findings)} checks, none failed")
        print(f"Tried with {', and '.join(dict.fromkeys(_items(check.trial.setting) for check in checks))}.")
    return int(any(finding.failed for finding in findings))


def _setting(options: argparse.Namespace) -> Setting | None:
    """Return what to try with, as far as it is said; None where nothing is."""
    if options.dataset is options.shape is options.classes is options.model is None:
        return None
    shape, classes = (
        _shape("1,8,8" if options.shape is None else options.shape),
        3 if options.classes is None else options.classes,
    )
    registry = Registry()
    if options.model is not None:
        registry.add(f"model:it={options.model}")
    registered = options.dataset is not None and ":" not in options.dataset
    if registered:
        shape, classes = _registered(options.dataset, options.url)
    elif options.dataset is not None:
        registry.add(f"dataset:it={options.dataset}")
    if registry.errors:
        raise LookupError(f"{registry.errors[0].plugin}: {registry.errors[0].error}")
    setting = sample_setting(shape, classes)
    train, test, context = setting.train, setting.test, setting.context
    if options.dataset is not None and not registered:
        train = test = registry.build("dataset", "it", {})
        found = contents(train)
        context = DatasetContext(found.input_shape, found.num_classes)
    model = None if options.model is None else lambda: registry.build("model", "it", {}, context=context)
    return Setting(train, test, context, model, options.params)


def _shape(text: str) -> list[int]:
    sides = [side.strip() for side in text.replace("×", ",").replace("x", ",").split(",")]
    if not all(side.isascii() and side.isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f"--shape {text} is no shape: write whole numbers like 3,32,32")
    return [int(side) for side in sides]


def _registered(name: str, url: str | None) -> tuple[list[int], int]:
    """Return the shape of an item of a registered dataset, and its number of classes: 0 for numbers to predict."""
    with Client(url) as client:
        dataset = client.dataset(name)
    info = dataset["info"] or {}
    if dataset["status"] != "ready" or "input_shape" not in info:
        raise LookupError(f"the dataset {name!r} is {dataset['status']}: see `sufficiency datasets show {name}`")
    task = info.get("task", "classification")
    if task not in ("classification", "regression"):
        raise LookupError(f"the dataset {name!r} is of task {task}: name its loader with --dataset MODULE:ATTRIBUTE")
    return info["input_shape"], len(info["class_names"]) if task == "classification" else 0


def _items(setting: Setting) -> str:
    shape = "×".join(map(str, setting.context.input_shape))
    if getattr(setting.train, "class_names", None):
        return f"items of shape {shape} and {setting.context.num_classes} classes"
    return f"items of shape {shape}"


if __name__ == "__main__":
    sys.exit(main())
