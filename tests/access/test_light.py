"""What an API that nobody signs in to by a provider need not load."""

import subprocess
import sys


def test_without_a_provider_and_webhooks_nothing_of_theirs_is_loaded() -> None:
    program = "import sys, app.main, app.commands; app.main.create_app(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "app.webhooks.deliverer" in loaded
    assert not {"httpx", "jwt", "cryptography", "rich", "torch"} & set(loaded)


def test_the_supervisor_of_a_standalone_knows_no_database_library_but_the_driver() -> None:
    program = (
        "import sys, app.standalone.service; from app.settings import Settings; "
        "app.standalone.service.Standalone(Settings()); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "psycopg" in loaded
    assert not {"sqlalchemy", "fastapi", "celery", "redis", "numpy"} & set(loaded)
