"""Whatever ends first, worker, keeper or trainer, nothing that the trainer has started outlives it."""

import os
import pwd
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sufficiency.training.memory import used_memory
from sufficiency.training.process_group import CLEANERS, end_group
from worker import keeper
from worker.confinement import Account, keeper_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps all of a trainer's descendants")

# It starts a process that has a session of its own and whose parent has ended, says both numbers, and goes on.
ESCAPING = """
    import os, sys, time
    listen, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(tell, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    print(os.getpid(), os.read(listen, 32).decode(), flush=True)
"""


class Kept:
    """A keeper, and the end of its pipe."""

    def __init__(self, program: str, temporary: Path, account: Account | None = None) -> None:
        pipe, self.held = os.pipe()
        interpreter = [sys.executable, "-I"] if account is None else ["/bin/sh"]  # which everybody may run
        command = keeper_command(pipe, account, temporary, [*interpreter, "-c", textwrap.dedent(program)])
        self.process = subprocess.Popen(command, pass_fds=[pipe], stdout=subprocess.PIPE, text=True)
        os.close(pipe)

    def line(self) -> list[int]:
        """Return the numbers of the next line that the program writes."""
        assert self.process.stdout is not None
        return [int(word) for word in self.process.stdout.readline().split()]

    def let_go(self) -> None:
        """End as a worker does, or one that is no more."""
        if self.held >= 0:
            os.close(self.held)
            self.held = -1


Keep = Callable[..., Kept]


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    made: list[Kept] = []

    def keep(program: str, account: Account | None = None) -> Kept:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        (temporary / "left").write_text("something")
        made.append(Kept(program, temporary, account))
        return made[-1]

    yield keep
    for one in made:
        one.let_go()
        one.process.wait(60)
        assert one.process.stdout is not None
        one.process.stdout.close()


def assert_gone(*pids: int) -> None:
    for pid in pids:
        try:
            psutil.Process(pid).wait(60)
        except psutil.NoSuchProcess:
            continue


@pytest.mark.parametrize(("last", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 15)", -15), ("", 0)])
def test_it_ends_as_the_trainer_and_takes_along_what_got_away(keep: Keep, tmp_path: Path, last: str, code: int) -> None:
    kept = keep(textwrap.dedent(ESCAPING) + last)
    trainer, escaped = kept.line()
    assert kept.process.wait(60) == code
    assert not psutil.pid_exists(trainer)
    assert not psutil.pid_exists(escaped)
    assert not (tmp_path / "temporary").exists()


# Its semaphore and its shared memory have names, for spawned processes to find them by; a tracker takes them away.
SHARING = """
    import multiprocessing, os, sys, time
    from multiprocessing.shared_memory import SharedMemory
    lock = multiprocessing.get_context("spawn").Lock()
    memory = SharedMemory(create=True, size=64)
    print(os.getpid(), flush=True)
    print(lock._semlock.name.strip("/"), memory.name.strip("/"), flush=True)
"""


@pytest.mark.parametrize("ends", ["worker", "by itself", "whole group"])
def test_semaphores_and_shared_memory_are_taken_away(keep: Keep, ends: str) -> None:
    """Killed with their owner, the tracker left them in memory for ever: some thirty for each loader."""
    last = {"worker": "time.sleep(600)", "by itself": "os.kill(os.getpid(), 9)"}
    by_group = (
        "sys.path.insert(0, os.getcwd()); from sufficiency.training import process_group as g; g.end_process_group()"
    )
    kept = keep(textwrap.dedent(SHARING) + last.get(ends, by_group))
    kept.line()
    assert kept.process.stdout is not None
    semaphore, memory = kept.process.stdout.readline().split()
    left = [Path("/dev/shm", f"sem.{semaphore}"), Path("/dev/shm", memory)]
    if ends == "worker":
        assert all(one.exists() for one in left)
        kept.let_go()
    kept.process.wait(60)
    assert not any(one.exists() for one in left)


def test_a_trainer_that_is_called_a_cleaner_is_none(keep: Keep) -> None:
    """And what is called one, and is not, ends when cleaners are given no more time."""
    kept = keep(
        """
        import os, subprocess, sys, time
        called = "import time; time.sleep(600)  # resource_tracker import main"
        child = subprocess.Popen([sys.executable, "-c", called])
        print(os.getpid(), child.pid, flush=True)
        time.sleep(600)
        """
    )
    trainer, child = kept.line()
    assert b"resource_tracker import main" in Path(f"/proc/{trainer}/cmdline").read_bytes()
    kept.let_go()
    assert kept.process.wait(60) == -signal.SIGKILL
    assert_gone(trainer, child)


def test_a_group_ends_with_its_leader_whatever_that_is_called() -> None:
    called = "print(1, flush=True); import time; time.sleep(600)  # resource_tracker import main"
    leader = subprocess.Popen([sys.executable, "-c", called], start_new_session=True, stdout=subprocess.PIPE)
    assert leader.stdout is not None
    assert leader.stdout.readline() == b"1\n"
    end_group(leader.pid)
    assert leader.wait(60) == -signal.SIGKILL
    leader.stdout.close()


def test_both_who_end_groups_know_the_same_cleaners() -> None:
    assert keeper.CLEANERS == CLEANERS


def test_what_got_away_counts_as_the_trainer_s_memory(keep: Keep) -> None:
    taking = ESCAPING.replace("os.write(tell", "taken = b'x' * (64 << 20); os.write(tell")
    kept = keep(textwrap.dedent(taking) + "time.sleep(600)")
    kept.line()
    assert used_memory(kept.process.pid, more_than=0) > 64 << 20


def test_a_stopped_trainer_ends_with_its_worker(keep: Keep, tmp_path: Path) -> None:
    kept = keep(textwrap.dedent(ESCAPING) + "os.kill(os.getpid(), 19)")
    trainer, escaped = kept.line()
    kept.let_go()
    assert kept.process.wait(60) == -signal.SIGKILL
    assert_gone(trainer, escaped)
    assert not (tmp_path / "temporary").exists()


def test_a_stopped_trainer_ends_with_its_keeper(keep: Keep) -> None:
    kept = keep("import os, time; print(os.getpid(), flush=True); os.kill(os.getpid(), 19); time.sleep(600)")
    [trainer] = kept.line()
    kept.process.kill()
    assert_gone(trainer)


def test_it_hands_on_that_it_is_to_stop(keep: Keep) -> None:
    kept = keep(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print(1, flush=True)
        time.sleep(600)
        """
    )
    kept.line()
    kept.process.terminate()
    assert kept.process.wait(60) == 7


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    pipe, held = os.pipe()
    command = keeper_command(pipe, None, tmp_path / "temporary", [str(tmp_path / "nothing")])
    done = subprocess.run(command, pass_fds=[pipe], capture_output=True, text=True, check=False, timeout=60)
    os.close(pipe)
    os.close(held)
    assert done.returncode == 127
    assert done.stderr.startswith("the trainer cannot be started: ")


STATUS = """
    import os
    told = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    print(told["NoNewPrivs"].strip(), os.getuid(), os.getgid(), len(os.getgroups()), flush=True)
"""
STATUS_OF_SHELL = """
    echo $(grep NoNewPrivs /proc/self/status | cut -f 2) $(id -u) $(id -g) $(id -G)
    echo $$
    exec sleep 600
"""


def test_it_gains_no_privileges(keep: Keep) -> None:
    assert keep(STATUS).line()[:3] == [1, os.getuid(), os.getgid()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_is_another_user_and_ends_with_its_keeper_all_the_same(keep: Keep) -> None:
    nobody = pwd.getpwnam("nobody")
    kept = keep(STATUS_OF_SHELL, Account("nobody", nobody.pw_uid, nobody.pw_gid, "/"))
    assert kept.line() == [1, nobody.pw_uid, nobody.pw_gid, nobody.pw_gid]
    [trainer] = kept.line()
    kept.process.kill()
    assert_gone(trainer)
