"""Holds plugins to the contract: ``python -m sufficiency.testing MODULE[:ATTRIBUTE]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import contents
from sufficiency.schemas.words import PLUGIN_KINDS
from sufficiency.testing.contract import check_module
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
    parser.add_argument("--dataset", metavar="MODULE:ATTRIBUTE", help="dataset to try with; random images else")
    parser.add_argument("--shape", default="1,8,8", help="of a random item, such as 3,32,32 (default 1,8,8)")
    parser.add_argument("--classes", type=int, default=3, help="of the random items (default 3); 0: numbers to predict")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(arguments)
    sys.path.insert(0, "")  # as for `python -c`: a module beside the user is found
    try:
        findings = check_module(options.target, options.kind, _setting(options))
    except (LookupError, PluginError, DatasetError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(str, findings)))
        failed = sum(finding.failed for finding in findings)
        print(f"\n{len(findings)} checks, {failed} failed" if failed else f"\n{len(findings)} checks, none failed")
    return int(any(finding.failed for finding in findings))


def _setting(options: argparse.Namespace) -> Setting:
    shape = [int(side) for side in options.shape.split(",")]
    setting = sample_setting(shape, options.classes)
    registry = Registry()
    for kind, target in (("dataset", options.dataset), ("model", options.model)):
        if target is not None:
            registry.add(f"{kind}:it={target}")
    if registry.errors:
        raise LookupError(f"{registry.errors[0].plugin}: {registry.errors[0].error}")
    context = setting.context
    train, test = setting.train, setting.test
    if options.dataset is not None:
        train = test = registry.build("dataset", "it", {})
        found = contents(train)
        context = DatasetContext(found.input_shape, found.num_classes)
    model = None if options.model is None else lambda: registry.build("model", "it", {}, context=context)
    return Setting(train, test, context, model, options.params)


if __name__ == "__main__":
    sys.exit(main())
