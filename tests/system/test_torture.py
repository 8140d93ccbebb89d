"""Nothing is lost, doubled or different, whatever is killed, stopped and restarted, and whenever."""

import pytest

from app.client import Client
from tests.system.cluster import Cluster, wait_until
from tests.system.torture import (
    SETTINGS,
    Observer,
    Prober,
    Tormentor,
    customers,
    settle,
    undisturbed,
    violations,
)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("seed", "faults"), [(1, 30), pytest.param(2, 210, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_torture(seed: int, faults: int, capsys: pytest.CaptureFixture[str]) -> None:
    with Cluster(workers=2, settings=SETTINGS) as cluster:
        cluster.wait_ready()
        with Client(cluster.url) as client:
            expected = undisturbed(client)
        observer, prober = Observer(cluster.dsn), Prober(cluster.url)
        observer.start()
        prober.start()
        tormentor = Tormentor(cluster, seed, observer)
        with customers(cluster, seed, 4) as crowd:
            tormentor.torment(faults, (0.1, 1.5))
        settling = settle(cluster, crowd)
        prober.stop()
        observer.stop()
        orders = [order for customer in crowd for order in customer.orders]
        with capsys.disabled():
            print(f"\n{tormentor.tally()}\n{len(orders)} jobs, settled after {settling:.1f} s; API: {prober.answers}")
        wrong = violations(cluster, crowd, expected) + prober.wrong
        assert not wrong, "\n".join(wrong)
        cluster.stop_programs()
        wait_until(lambda: not cluster.processes(), 20, "no process is left", lambda: str(cluster.processes()))
