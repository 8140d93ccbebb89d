"""Two worker hosts, each a network namespace, that share one PostgreSQL and one Redis; one is cut off and healed."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bench.cluster import Cluster, wait_until
from tests.system.torture import DIGITS, SETTINGS

JOB: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sleepy", "params": {"seconds": 0.3}},
    "evaluation": {"name": "size"},
    "dataset": "digits",
    "runs": 2,
    "schedule": [10, 20, 40, 80, 160, 320, 640, 1000],
    "protocol": "dataeval",  # a unit a run: one on each host
    "reuse": False,
}


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """A network namespace that reaches this machine over one cable."""

    def __init__(self, number: int, subnet: int) -> None:
        self.name = f"sufficiency-{uuid4().hex[:6]}"
        self._cable = f"sfy{uuid4().hex[:8]}"
        self.gateway, self.address = f"10.231.{subnet + number}.1", f"10.231.{subnet + number}.2"

    def build(self) -> None:
        """Make it."""
        ip("netns", "add", self.name)
        ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.gateway}/24", "dev", self._cable)
        ip("link", "set", self._cable, "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Remove it, cable and all."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def cut(self) -> None:
        """Cut the cable: packets vanish, and nobody is told."""
        ip("link", "set", self._cable, "down")

    def heal(self) -> None:
        """Mend the cable."""
        ip("link", "set", self._cable, "up")

    def command(self, *words: str) -> list[str]:
        """Return the command that runs another one on this host, under the host's own name."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh"]
        return [shutil.which("ip") or "ip", "netns", "exec", self.name, *named, *words]


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("ip and unshare are needed to make network namespaces")
    with ExitStack() as stack:
        pair = [Host(number, 10 + 2 * (time.time_ns() % 100)) for number in range(2)]
        for host in pair:
            stack.callback(host.remove)
            try:
                host.build()
            except subprocess.CalledProcessError as error:
                pytest.skip(f"network namespaces are not allowed here: {error.stderr.decode().strip()}")
        yield pair


class Network(Cluster):
    """A cluster whose workers live on hosts of their own, and reach the servers over TCP alone."""

    def __init__(self, hosts: list[Host]) -> None:
        super().__init__(workers=0, settings=SETTINGS)
        self._hosts = hosts

    def _start(self) -> None:
        super()._start()
        self._listen([host.gateway for host in self._hosts])
        for host in self._hosts:
            self.add(
                f"worker on {host.name}",
                host.command(sys.executable, "-m", "sufficiency.cli", "worker"),
                SUFFICIENCY_DATABASE_URL=f"postgresql+psycopg://sufficiency@{host.gateway}/sufficiency",
                SUFFICIENCY_REDIS_URL=f"redis://{host.gateway}:6379/0",
            )

    def _listen(self, addresses: list[str]) -> None:
        """Let the servers be reached at these addresses."""
        redis, postgres = self.programs["redis"], self.programs["postgres"]
        with (self.servers.data_dir / "postgres" / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {address}/24 trust\n" for address in addresses)
        listening = f"listen_addresses={','.join(addresses)}"
        postgres.command = [listening if word == "listen_addresses=" else word for word in postgres.command]
        redis.command = [
            *(word if before != "--port" else "6379" for before, word in pairwise(["", *redis.command])),
            *("--bind", *addresses, "--protected-mode", "no"),
        ]
        for server in (redis, postgres):
            server.stop()
        self.redis_socket.unlink(missing_ok=True)
        for server in (redis, postgres):
            server.start()
        wait_until(self._accepts, 30, "PostgreSQL accepts connections", self.last_words)

    def _accepts(self) -> bool:
        with suppress(psycopg.Error), psycopg.connect(self.dsn):
            return True
        return False


def leases(network: Network, job_id: str) -> dict[int, tuple[str, int]]:
    """Return who holds each unit of a job, by the unit's number: the host's name and the attempt."""
    rows = network.query(
        "SELECT u.ordinal, w.hostname, u.attempt FROM unit u JOIN worker w ON w.id = u.worker_id WHERE u.job_id = %s",
        job_id,
    )
    return {ordinal: (hostname, attempt) for ordinal, hostname, attempt in rows}


@pytest.mark.slow
def test_a_host_is_cut_off_and_comes_back(hosts: list[Host], capsys: pytest.CaptureFixture[str]) -> None:
    with Network(hosts) as network, network.client(10) as client:
        network.wait_ready()
        client.add_dataset(**DIGITS)
        client.wait_dataset("digits", 60)
        job_id = client.submit(JOB)["id"]
        spread = "both hosts hold a unit"
        wait_until(lambda: len(leases(network, job_id)) == 2, 30, spread, network.last_words)
        held = leases(network, job_id)
        assert {name for name, _ in held.values()} == {host.name for host in hosts}
        lone, other = hosts
        [mine] = [ordinal for ordinal, (name, _) in held.items() if name == lone.name]

        finished = "SELECT 1 FROM cell WHERE job_id = %s AND run = %s AND finished_at IS NOT NULL"
        wait_until(lambda: bool(network.query(finished, job_id, mine)), 30, "it has a cell", network.last_words)

        lone.cut()
        taken_over = wait_until(
            lambda: leases(network, job_id).get(mine) == (other.name, 2),
            40,
            "the other host took it",
            network.last_words,
        )
        lone.heal()
        assert client.wait(job_id, 60)["state"] == "completed"
        with psycopg.connect(network.dsn) as connection:
            cells = connection.execute(
                "SELECT c.run, c.step, c.attempt FROM cell c WHERE c.job_id = %s AND c.finished_at IS NOT NULL",
                [job_id],
            ).fetchall()
            events = connection.execute(
                "SELECT data->>'run', data->>'step' FROM event WHERE job_id = %s AND type = 'cell'", [job_id]
            ).fetchall()
        assert len(cells) == len(events) == len(set(events)) == 16
        assert {attempt for run, _, attempt in cells if run == mine} == {1, 2}

        again = client.submit(JOB)["id"]
        back = wait_until(
            lambda: {name for name, _ in leases(network, again).values()} == {host.name for host in hosts},
            40,
            "the healed host works again",
            network.last_words,
        )
        client.cancel(again)
        assert client.wait(again, 60)["state"] == "cancelled"
        with capsys.disabled():
            print(f"\ntaken over {taken_over:.1f} s after the cut; back at work {back:.1f} s after the next job")
