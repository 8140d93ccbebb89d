"""`sufficiency datasets …`: register, list, show, append to, verify and remove datasets, and send files for them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sufficiency.cli.options import Json, Url
from sufficiency.cli.printing import client_of, print_json
from sufficiency.exits import MISUSED, CommandError
from sufficiency.schemas.words import FingerprintOf

commands = typer.Typer(
    help="Register, show, append to and remove datasets; send files.\n\n\b\nExample:\n  sufficiency datasets list",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("upload")
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ends in .npz, .csv, .tsv, .txt or .parquet.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called there; default its own name.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send a file to the service.

    It takes one with a data folder of its own, such as a standalone. Answers the path that a loader takes. The same
    file sent again is the one that is there; another one under the same name is refused. `sufficiency datasets
    uploads` lists what was sent.

    \b
    Example:
      sufficiency datasets upload stays.csv
      sufficiency datasets add stays --source tabular:path=PATH,target=kind
    """
    if not file.is_file():
        raise CommandError("there is no such file", str(file), code=MISUSED)
    with client_of(url) as client:
        sent = client.upload(file, name)
    if as_json:
        return print_json(sent)
    typer.echo(sent["path"])
    return None


@commands.command("uploads")
def uploads(
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Delete this one.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the files that were sent, or delete one.

    One that a dataset is read from stays.

    \b
    Example:
      sufficiency datasets uploads
      sufficiency datasets uploads --delete stays.csv
    """
    from sufficiency.cli.terminal import stdout, table
    from sufficiency.schemas.text import count

    with client_of(url) as client:
        if delete is not None:
            return client.delete_upload(delete)
        sent = client.uploads()
    if as_json:
        return print_json({"items": sent})
    made = table("name", "kind", "bytes", "path", right=["bytes"])
    for one in sent:
        made.add_row(one["name"], one["kind"], count(one["bytes"]), one["path"])
    stdout().print(made if sent else "No file was sent: send one with `sufficiency datasets upload`.")
    return None


@commands.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="How jobs will call it.", show_default=False)],
    train: Annotated[
        str | None, typer.Option("--train", metavar="SPLIT", help="LOADER:key=value,… or a JSON object.")
    ] = None,
    test: Annotated[str | None, typer.Option("--test", metavar="SPLIT", help="The same, for the test split.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="SOURCE", help="The same, for one source that is to be split.")
    ] = None,
    test_fraction: Annotated[float | None, typer.Option("--test-fraction", help="Share of it to test on; 0.2.")] = None,
    split_seed: Annotated[int | None, typer.Option("--split-seed", help="Of the split; 0.")] = None,
    group_by: Annotated[
        str | None, typer.Option("--group-by", metavar="KEY", help="Keep items with the same KEY in one split.")
    ] = None,
    no_stratify: Annotated[bool, typer.Option("--no-stratify", help="Split without regard to classes.")] = False,
    standardise: Annotated[bool, typer.Option("--standardise", help="Features at mean 0, SD 1 of training.")] = False,
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="MODEL", help="Take a frozen model's features: MODEL:key=value,… or JSON."),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="LAYER", help="Layer whose input they are; its last dense one.")
    ] = None,
    fingerprint: Annotated[
        FingerprintOf,
        typer.Option("--fingerprint", metavar="OF", help="structure: of sizes and labels alone; for items at random."),
    ] = "content",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what its loaders draw at random.")] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until a worker has verified it.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Register a dataset.

    It is a training split and a test split, each a loader with parameters, or one source that is split by seed. A path
    is inside one of the service's data roots (SUFFICIENCY_DATA_ROOTS).

    \b
    Example:
      sufficiency datasets add digits --train digits:split=train --test digits:split=test
      sufficiency datasets add mine --train npz:path=mine/train.npz --test npz:path=mine/test.npz
      sufficiency datasets add stays --source tabular:path=stays.csv,target=kind --test-fraction 0.25
      sufficiency datasets add mine-features --source image-folder:path=mine --features mybackbone:name=small
    """
    given = {"train": train, "test": test, "source": source}
    splits = {key: _split(text, f"--{key}") for key, text in given.items() if text is not None}
    asked = {"test_fraction": test_fraction, "seed": split_seed, "group_by": group_by}
    rule: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    rule |= {"stratify": False} if no_stratify else {}
    with client_of(url) as client:
        dataset = client.add_dataset(
            name,
            splits.get("train"),
            splits.get("test"),
            source=splits.get("source"),
            split=rule or None,
            standardise=standardise,
            features=_features(features, head),
            fingerprint=fingerprint,
            seed=seed,
        )
        if wait and dataset["status"] == "verifying":
            dataset = client.wait_dataset(name, timeout=120)
    _show_dataset(dataset, as_json)


@commands.command("list")
def list(url: Url = None, as_json: Json = False) -> None:
    """List the registered datasets.

    \b
    Example:
      sufficiency datasets list
    """
    from sufficiency.cli.terminal import stdout, table
    from sufficiency.schemas.text import count

    with client_of(url) as client:
        items = client.datasets()
    if as_json:
        return print_json({"items": items})
    made = table("name", "status", "train", "test", "classes", "item shape", right=["train", "test", "classes"])
    for item in items:
        info = item["info"] or {}
        sizes = [count(info[split]["size"]) if info else "" for split in ("train", "test")]
        shape = "×".join(str(side) for side in info.get("input_shape", []))
        made.add_row(item["name"], item["status"], *sizes, str(len(info["class_names"])) if info else "", shape)
    stdout().print(made if items else "No dataset is registered: see `sufficiency datasets add --help`.")
    return None


@commands.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")], url: Url = None, as_json: Json = False
) -> None:
    """Show one dataset, or why it is invalid.

    \b
    Example:
      sufficiency datasets show digits
    """
    with client_of(url) as client:
        dataset = client.dataset(name)
    _show_dataset(dataset, as_json)


@commands.command("append")
def append(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    items: Annotated[
        str | None, typer.Option("--items", metavar="SPLIT", help="The new items: LOADER:key=value,… or JSON.")
    ] = None,
    train: Annotated[
        str | None, typer.Option("--train", metavar="SPLIT", help="Or the whole training split, the old items first.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until a worker has verified it.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Append items to a dataset, as its next version.

    It is called NAME@2, then NAME@3, and so on. The test split stays, and so do the items that there are: a job on them
    is extended to the version, measures only the larger sizes, and tells how well its earlier answers foresaw them.

    \b
    Example:
      sufficiency datasets append mine --items npz:path=mine/march.npz
      sufficiency extend ID --dataset mine@2
    """
    given = {"--items": items, "--train": train}
    splits = {option: _split(text, option) for option, text in given.items() if text is not None}
    if len(splits) != 1:
        raise CommandError(
            "name either the new items or the whole training split",
            "--items, --train",
            "add --items LOADER:key=value,… with what reads the new items alone",
            MISUSED,
        )
    with client_of(url) as client:
        version = client.add_version(name, appended=splits.get("--items"), train=splits.get("--train"))
        if wait and version["status"] == "verifying":
            version = client.wait_dataset(version["name"], timeout=120)
    _show_dataset(version, as_json)


@commands.command("versions")
def versions(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")], url: Url = None, as_json: Json = False
) -> None:
    """List the versions of a dataset, and how many items each has.

    \b
    Example:
      sufficiency datasets versions mine
    """
    from sufficiency.cli.terminal import stdout, table
    from sufficiency.schemas.text import count

    with client_of(url) as client:
        found = client.versions(name)
    if as_json:
        return print_json({"items": found})
    made = table("version", "name", "status", "train", "test", "registered", right=["version", "train", "test"])
    for one in found:
        info = one["info"] or {}
        sizes = [count(info[split]["size"]) if info else "" for split in ("train", "test")]
        made.add_row(str(one["version"]), one["name"], one["status"], *sizes, str(one["created_at"])[:10])
    stdout().print(made)
    return None


@commands.command("verify")
def verify(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until a worker has verified it.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Read a dataset anew, after its files changed.

    Jobs that were measured on what was there before are not mixed with it: they refuse retry and extend, except with
    --start-anew.

    \b
    Example:
      sufficiency datasets verify digits
    """
    with client_of(url) as client:
        dataset = client.verify_dataset(name)
        if wait:
            dataset = client.wait_dataset(name, timeout=120)
    _show_dataset(dataset, as_json)


@commands.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")], url: Url = None) -> None:
    """Remove a dataset's registration; its files stay.

    \b
    Example:
      sufficiency datasets remove digits
    """
    with client_of(url) as client:
        client.remove_dataset(name)
    typer.echo(f"Dataset {name} is removed.")


def _features(text: str | None, head: str | None) -> dict[str, Any] | None:
    """Return the features step from ``MODEL:key=value,…`` or from a JSON object."""
    if text is None:
        if head is not None:
            raise CommandError("it names a layer of no model", "--head", "name the model by --features", MISUSED)
        return None
    asked = _split(text, "--features")
    if "loader" in asked:
        asked = {"model": asked["loader"], "params": asked["params"]}
    return asked if head is None else {**asked, "head": head}


def _split(text: str, option: str) -> dict[str, Any]:
    """Return a split from ``LOADER:key=value,…`` or from a JSON object."""
    example = "write it like npz:path=mine/train.npz,limit=1000"
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise CommandError(f"the split is not JSON ({error})", option, example, MISUSED) from error
    loader, _, rest = text.partition(":")
    params = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise CommandError(f"{pair!r} is not key=value", option, example, MISUSED)
        try:
            params[key] = json.loads(value)  # numbers, true and false
        except ValueError:
            params[key] = value
    return {"loader": loader, "params": params}


def _show_dataset(dataset: Mapping[str, Any], as_json: bool) -> None:
    from sufficiency.cli.terminal import stdout
    from sufficiency.schemas.text import count

    if as_json:
        print_json(dataset)
    if dataset["status"] == "invalid":
        error = dataset["error"] or {}
        raise CommandError(
            f"dataset {dataset['name']} is invalid: {error.get('detail', '')}",
            do="correct it, and add it again under the same name",
        )
    if as_json:
        return
    console = stdout()
    console.print(f"{dataset['name']}: {dataset['status']}", markup=False)
    if info := dataset["info"]:
        shape = "×".join(str(side) for side in info["input_shape"])
        sizes = f"{count(info['train']['size'])} items to train on, {count(info['test']['size'])} to test on"
        console.print(f"{sizes}, of shape {shape}")
        if info["class_names"]:
            counts = zip(info["class_names"], info["train"]["class_counts"], info["test"]["class_counts"], strict=True)
            console.print("classes (train/test): " + ", ".join(f"{n} {a}/{b}" for n, a, b in counts), markup=False)
        if target := info["train"].get("target"):
            console.print(
                f"target: {target['min']:.6g} to {target['max']:.6g}, mean {target['mean']:.6g} ± {target['sd']:.6g}"
            )
        told = {warning["code"] for warning in info.get("warnings", [])}
        if (shared := info.get("test_items_in_train")) and "test_items_in_train" not in told:  # by an older worker
            console.print(f"warning: {count(shared)} test items are training items too; accuracy will look too good")
        for line in _found(info):
            console.print(line, markup=False)
        console.print(f"fingerprint {dataset['fingerprint']}")
    elif reason := dataset.get("queued_reason"):
        console.print(f"it waits: {reason}", markup=False)


def _found(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield what there is to say of a dataset's features, of what was done to its items, and of what looks odd."""
    from sufficiency.schemas.text import count

    if features := info.get("features"):
        yield "features: " + ", ".join(f"{feature['name']} ({feature['kind']})" for feature in features)
    for kind in ("notes", "warnings"):
        for remark in info.get(kind, []):
            yield f"{kind[:-1]}: {remark['detail']}"
    for filled in info.get("missing", {}).get("columns", []):
        counts = f"{count(filled['train'])} in training, {count(filled['test'])} in test"
        yield f"filled: {filled['name']} with {filled['value']} ({counts})"
