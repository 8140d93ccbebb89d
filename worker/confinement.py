"""Whom trainers run as, and who keeps them. Torch-free."""

import logging
import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.interpreter import NoTrainer
from app.settings import Settings

logger = logging.getLogger(__name__)

KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    home: str


def account_of(settings: Settings) -> Account | None:
    """Return whom trainers run as, or None: as the worker itself.

    Raises
    ------
    NoTrainer
        When the machine has no such user, or the worker may not become somebody else.
    """
    name = settings.trainer_user
    if name is None:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise NoTrainer(f"SUFFICIENCY_TRAINER_USER is {name!r}, whom this machine does not know") from None
    if os.geteuid() == found.pw_uid:
        return None
    if os.geteuid() != 0:
        raise NoTrainer(f"SUFFICIENCY_TRAINER_USER is {name!r}, but only a worker that root starts can become another")
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def check_account(settings: Settings) -> None:
    """Hold the user of trainers to what is possible, and say so where that is root.

    Raises
    ------
    NoTrainer
    """
    if account_of(settings) is None and os.geteuid() == 0:
        logger.warning(
            "trainers run as root, and so do the plugins: name another user with SUFFICIENCY_TRAINER_USER, or start "
            "the worker as one"
        )


def keeper_command(pipe: int, account: Account | None, temporary: Path, command: Sequence[str]) -> list[str]:
    """Return the command that runs a trainer under a keeper; see `worker.keeper`."""
    numbers = (pipe, account.uid, account.gid) if account is not None else (pipe, -1, -1)
    return [sys.executable, "-I", "-S", str(KEEPER), *map(str, numbers), str(temporary), *command]
