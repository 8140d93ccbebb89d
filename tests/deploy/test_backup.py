"""Backup and restore as the operations guide has them, with PostgreSQL's own programs, in the middle of work."""

import subprocess
from pathlib import Path

from sqlalchemy import make_url

from app.db.engine import Database
from app.main import create_app
from app.standalone.binaries import find_postgres
from app.units.lease import renew, surrender_unit
from tests.support.servers import Servers, new_database, run_sql
from tests.support.service import Service, TestClient


def run(program: str, database_url: str, *arguments: str) -> None:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(find_postgres() / program), *arguments, f"--dbname={url}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_backup_made_amid_work_is_a_service_that_goes_on(service: Service, servers: Servers, tmp_path: Path) -> None:
    done, half = service.submit()["id"], service.submit()["id"]
    service.work(done)
    service.work(half, units=1)
    held, unit_id = service.claim(half)
    backup = tmp_path / "sufficiency.dump"
    run("pg_dump", service.settings.database_url, "--format=custom", f"--file={backup}")
    asked = [f"/jobs/{done}/project?n=5000", f"/jobs/{half}/measurements?view=cells", f"/jobs/{half}", "/datasets"]
    before = [service.client.get(question).json() for question in asked]

    with new_database(servers) as url:
        # Into a database that is empty, and not one that has been migrated.
        name = make_url(url).database
        run_sql(servers, f"DROP DATABASE {name}")
        run_sql(servers, f"CREATE DATABASE {name}")
        run("pg_restore", url, "--no-owner", "--exit-on-error", str(backup))
        settings = service.settings.model_copy(update={"database_url": url})
        with TestClient(create_app(settings), raise_server_exceptions=False) as client:
            restored = Service(client, Database(url), settings)
            assert [client.get(question).json() for question in asked] == before
            with restored.database.transaction() as session:
                assert renew(session, unit_id, held.attempt, 60.0) == "held", "who held a unit then, holds it still"
                surrender_unit(session, unit_id, held.attempt, None, counts=False)
            restored.work(half)
            assert client.get(f"/jobs/{half}").json()["state"] == "completed"
            events = client.get(f"/jobs/{half}/events").text.splitlines()
            numbers = [int(line.removeprefix("id: ")) for line in events if line.startswith("id: ")]
            assert numbers == list(range(1, len(numbers) + 1))
            restored.database.dispose()
