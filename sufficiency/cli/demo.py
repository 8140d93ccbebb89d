"""`sufficiency demo`: its options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sufficiency.cli.options import DataDir, Url

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def demo(
    dataset: Annotated[
        Literal["digits", "mnist"],
        typer.Option("--dataset", help="digits: small and quick. mnist: the job of DataEval's tutorial."),
    ] = "digits",
    mnist_dir: Annotated[
        Path | None, typer.Option("--mnist-dir", help="Folder with MNIST's IDX files; without it they are downloaded.")
    ] = None,
    protocol: Annotated[
        Literal["independent", "dataeval"], typer.Option("--protocol", help="How cells are trained; see the README.")
    ] = "independent",
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Independent repetitions.")] = None,
    substeps: Annotated[int | None, typer.Option("--substeps", min=1, help="Steps of the schedule.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    data_dir: DataDir = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's own service running until Ctrl-C.")] = False,
    url: Url = None,
) -> None:
    """Go the whole way once, with an example.

    It registers data, submits a job, watches it and reads the curve. It uses the service at --url if one answers
    there; otherwise it starts its own and stops it at the end.

    \b
    Example:
      sufficiency demo
      sufficiency demo --dataset mnist --mnist-dir ./mnist
    """
    from sufficiency.cli.walkthrough import Study, run_demo

    study = Study(dataset, protocol, runs=runs, substeps=substeps, seed=seed, mnist_dir=mnist_dir)
    run_demo(study, url=url, data_dir=data_dir, keep=keep)
