"""The spawned process: imports torch, loads the plugins, executes units. It knows no database and no broker.

Started by the supervisor as ``python -m sufficiency.training.trainer FD``, where FD is its end of a socket pair. It
answers one request after the other and dies with its whole process group as soon as the other end is closed.
"""

import faulthandler
import json
import logging
import os
import queue
import signal
import socket
import sys
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sufficiency.data.arrays import DatasetError, materialise, verify_splits
from sufficiency.data.finishing import finished
from sufficiency.data.preview import contact_sheet
from sufficiency.data.splitting import part_of
from sufficiency.method.schedule import ScheduleError, check_steps
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.settings import get_settings
from sufficiency.training.channel import Channel, ChannelClosed, Message
from sufficiency.training.faults import Fault, blamed_on, describe, fault
from sufficiency.training.loop import UnitCell, UnitPlan, run_cells
from sufficiency.training.registry import DatasetContext, PluginError, Registry

KEPT_DATASETS = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Splits:
    """A dataset's two splits as their loaders made them, and what was found in them."""

    train: Any
    test: Any
    labels: NDArray[np.int64] | None
    info: dict[str, Any]
    fingerprint: str
    context: DatasetContext


class Trainer:
    """Answers the supervisor's requests with the plugins of a registry.

    Parameters
    ----------
    registry : Registry
        The plugins.
    send : callable
        Takes each message for the supervisor.
    """

    def __init__(self, registry: Registry, send: Callable[[Message], None]) -> None:
        self._registry = registry
        self._send = send
        self._splits: OrderedDict[str, Splits] = OrderedDict()

    def introduce(self) -> None:
        """Say what this process offers."""
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        self._send(
            {
                "type": "ready",
                "plugins": [described(plugin) for plugin in self._registry.describe()],
                "errors": list(self._registry.errors),
                "devices": ["cpu", "cuda"] if gpus else ["cpu"],
                "gpus": gpus,
            }
        )

    def answer(self, request: Message) -> None:
        """Carry out a request; a fault in it becomes the answer."""
        try:
            match request["type"]:
                case "unit":
                    self._run_unit(request)
                case "verify":
                    self._verify(request)
                case "schedule":
                    self._schedule(request)
        except Fault as error:
            self._send({"type": "error", "error": error.error})

    def _run_unit(self, request: Message) -> None:
        make_repeatable()
        spec = JobSpec.model_validate(request["spec"])
        splits = self._load(request["train"], request["test"])
        if splits.fingerprint != request["fingerprint"]:
            # The files may have changed, and been verified again, since this process read them.
            self._splits.pop(_key(request["train"], request["test"]))
            splits = self._load(request["train"], request["test"])
        if splits.fingerprint != request["fingerprint"]:
            detail = (
                f"The data of dataset {spec.dataset!r} are not those that were verified (fingerprint "
                f"{splits.fingerprint[:12]}…, then {request['fingerprint'][:12]}…). Restore them; or have the "
                "dataset verified again, and start the job anew."
            )
            raise Fault(fault("dataset_changed", detail, {"phase": "dataset"}))
        unit = UnitPlan(
            seed=spec.seed,
            protocol=spec.protocol,
            device=request["device"],
            cells=[UnitCell(**cell) for cell in request["cells"]],
        )
        run_cells(unit, PluginBuilder(self._registry, spec, splits), self._send)
        self._send({"type": "done"})

    def _verify(self, request: Message) -> None:
        # Read anew: the point is what is there now.
        self._splits.pop(_key(request["train"], request["test"]), None)
        splits = self._load(request["train"], request["test"])
        try:
            picture = contact_sheet(splits.train)
        except Exception:  # somebody's items may be anything, and a picture is no reason to refuse a dataset
            logger.warning("no picture can be made of dataset:%s", request["train"]["loader"], exc_info=True)
            picture = None
        self._send(
            {
                "type": "verified",
                "info": splits.info,
                "fingerprint": splits.fingerprint,
                "preview": None if picture is None else b64encode(picture).decode(),
            }
        )

    def _schedule(self, request: Message) -> None:
        ref = PluginRef.model_validate(request["plugin"])
        size = request["size"]
        plugin = f"schedule:{ref.name}"
        where = {"plugin": plugin, "phase": "schedule"}
        schedule = build(self._registry, "schedule", ref)
        with blamed_on(plugin, "schedule"):
            named = schedule.get_steps(size)
            try:
                steps = check_steps(_whole_numbers(named), size)
            except (ScheduleError, ValueError) as error:
                detail = f"{plugin} names no usable steps for {size} training items: {error}."
                raise Fault(fault("schedule_invalid", detail, where)) from error
        self._send({"type": "steps", "steps": steps})

    def _load(self, train: dict[str, Any], test: dict[str, Any]) -> Splits:
        key = _key(train, test)
        if key not in self._splits:
            while len(self._splits) >= KEPT_DATASETS:
                self._splits.popitem(last=False)
            self._splits[key] = self._read(train, test)
        self._splits.move_to_end(key)
        return self._splits[key]

    def _read(self, train: dict[str, Any], test: dict[str, Any]) -> Splits:
        built: list[Any] = []
        whole: dict[str, Any] = {}  # both parts of one source are cut from one reading of it
        for split, ref in (("train", train), ("test", test)):
            loader = PluginRef(name=ref["loader"], params=ref.get("params") or {})
            plugin = f"dataset:{loader.name}"
            try:
                if (source := loader.model_dump_json()) not in whole:
                    whole[source] = build(self._registry, "dataset", loader)
                built.append(_part(whole[source], ref.get("part"), plugin))
            except Fault as error:
                if error.error["code"] == "plugin_unavailable":
                    raise
                unusable = {**error.error, "code": "dataset_invalid"}
                unusable["detail"] = f"The {split} split cannot be used: {unusable['detail']}"
                raise Fault(unusable) from error
        try:
            built = list(finished(*built, standardise=bool(train.get("standardise"))))
            info, fingerprint = verify_splits(*built)
        except Exception as error:
            plugin = f"dataset:{train['loader']}"
            detail = f"The dataset cannot be used: {error if isinstance(error, DatasetError) else describe(error)}"
            where = {"plugin": plugin, "phase": "dataset"}
            raise Fault(fault("dataset_invalid", detail, where, exception=error)) from error
        # A regression has one output, and no classes to keep the proportions of.
        classes = len(info["class_names"]) or int(info["task"] == "regression")
        context = DatasetContext(input_shape=tuple(info["input_shape"]), num_classes=classes)
        labels = materialise(built[0]).y if info["task"] == "classification" else None
        return Splits(built[0], built[1], labels, info, fingerprint, context)


class PluginBuilder:
    """What a unit's loop works with, built from the plugins that its job names."""

    def __init__(self, registry: Registry, spec: JobSpec, splits: Splits) -> None:
        self.train, self.test = splits.train, splits.test
        self.labels = splits.labels
        refs = {"model": spec.model, "training": spec.training, "evaluation": spec.evaluation, "reset": spec.reset}
        self.names = {kind: f"{kind}:{ref.name}" for kind, ref in refs.items() if ref is not None}
        built = partial(build, registry, context=splits.context)
        self.model = lambda: built("model", spec.model)
        self.training = built("training", spec.training)
        self.evaluation = built("evaluation", spec.evaluation)
        self.reset = built("reset", spec.reset) if spec.reset is not None else None


def build(registry: Registry, kind: str, ref: PluginRef, *, context: DatasetContext | None = None) -> Any:
    """Build a plugin.

    Raises
    ------
    Fault
        When it is not there, or does not take its parameters.
    """
    name = f"{kind}:{ref.name}"
    try:
        return registry.build(kind, ref.name, ref.params, context=context)
    except PluginError as error:
        code = "plugin_unavailable" if error.phase == "find" else "plugin_raised"
        where = {"plugin": name, "phase": error.phase}
        raise Fault(fault(code, str(error), where, exception=error.__cause__ or error)) from error


def described(plugin: Any) -> dict[str, Any]:
    """Return a plugin's description as JSON has it."""
    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "version": plugin.version,
        "summary": plugin.summary,
        "params_schema": plugin.params_schema,
        "capabilities": plugin.capabilities,
        "devices": list(plugin.devices),
    }


def make_repeatable() -> None:
    """Set what makes a cell give the same numbers again; at each unit, since a plugin may have changed it."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def _part(dataset: Any, rule: dict[str, Any] | None, plugin: str) -> Any:
    if rule is None:
        return dataset
    try:
        return part_of(dataset, **rule)
    except Exception as error:
        detail = str(error) if isinstance(error, DatasetError) else describe(error)
        raise Fault(fault("dataset_invalid", detail, {"plugin": plugin, "phase": "split"}, exception=error)) from error


def _key(train: dict[str, Any], test: dict[str, Any]) -> str:
    return json.dumps([train, test], sort_keys=True)


def _whole_numbers(steps: object) -> list[int]:
    array = np.atleast_1d(np.asarray(steps))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"get_steps returned {type(steps).__name__} {steps!r:.100}, not a sequence of whole numbers")
    numbers: list[int] = array.tolist()
    return numbers


def _read_requests(channel: Channel, requests: "queue.SimpleQueue[Message]") -> None:
    """Pass requests on; when the supervisor is gone, end this process and everything it started."""
    try:
        while (request := channel.receive()) is not None:
            requests.put(request)
    except ChannelClosed:
        end_process_group()


def end_process_group() -> None:
    """Die at once, whatever the plugin is doing, and take its children along."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(argv: Sequence[str]) -> None:
    """Serve the supervisor at the other end of the socket whose number is the argument."""
    faulthandler.enable()
    fd = int(argv[1])
    os.set_inheritable(fd, False)  # what a plugin starts must not hold the channel open
    channel = Channel(socket.socket(fileno=fd))
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(channel, requests), name="requests", daemon=True).start()
    make_repeatable()
    settings = get_settings()
    trainer = Trainer(Registry.load(settings.plugins), channel.send)
    trainer.introduce()
    while True:
        trainer.answer(requests.get())


if __name__ == "__main__":
    main(sys.argv)
