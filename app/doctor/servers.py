"""Checks of the servers beside PostgreSQL: Redis and the API."""

from collections.abc import Iterator

import httpx

from app.doctor.findings import Finding
from app.queue.celery import make_celery
from app.settings import Settings

FULL = 0.9  # of the memory that Redis may use


def examine_broker(settings: Settings) -> Iterator[Finding]:
    """Check that Redis answers, keeps what it is given, and has room."""
    celery = make_celery(settings)
    try:
        with celery.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            client = connection.default_channel.client
            client.ping()
            memory, policy = client.info("memory"), client.info("memory").get("maxmemory_policy")
    except Exception as error:  # whatever the transport raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "start Redis, or correct SUFFICIENCY_REDIS_URL; until then nothing new is begun"
        yield Finding("redis", "wrong", f"Redis cannot be reached: {reason}", remedy)
        return
    finally:
        celery.close()
    most, used = int(memory.get("maxmemory") or 0), int(memory.get("used_memory") or 0)
    if most and policy != "noeviction":
        detail = f"Redis drops what it likes when its memory is full (maxmemory-policy {policy})"
        yield Finding("redis", "wrong", detail, "set maxmemory-policy noeviction: dropped messages cost a minute each")
    elif most and used > FULL * most:
        detail = f"{used / 1e6:.0f} of {most / 1e6:.0f} MB are used"
        yield Finding("redis", "wrong", detail, "raise maxmemory, or see whether workers take their messages")
    else:
        yield Finding("redis", "ok", f"it answers, and uses {used / 1e6:.1f} MB")


def examine_api(settings: Settings) -> Iterator[Finding]:
    """Check that the API is ready."""
    url = settings.url.rstrip("/")
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        remedy = "start it with `sufficiency serve`, or say where it is with SUFFICIENCY_URL"
        yield Finding("api", "wrong", f"no answer from {url}: {error}", remedy)
        return
    if answer.status_code == 200:
        missing = [str(one.get("detail")) for one in answer.json().get("missing", [])]
        if missing:
            yield Finding("api", "wrong", f"{url} answers, but {' '.join(missing)}", "see the finding of redis")
        else:
            yield Finding("api", "ok", f"{url} is ready")
    else:
        try:
            detail = str(answer.json().get("detail"))
        except ValueError:
            detail = f"HTTP {answer.status_code}"
        yield Finding("api", "wrong", f"{url} is not ready: {detail}", "see the other findings, then its log")
