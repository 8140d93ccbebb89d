"""What `sufficiency standalone` needs in memory while it waits: proportional set size by process."""

import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from app.settings import Settings
from app.standalone.service import Standalone

SETTLE_SECONDS = 15


def main() -> None:
    """Start a standalone service with two slots, let it settle, and add up its processes' memory."""
    before = {process.pid for process in psutil.process_iter()}
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        service = Standalone(Settings(), Path(directory), port=0, slots=2)
        service.start()
        try:
            service.wait_ready()
            time.sleep(SETTLE_SECONDS)
            sizes: Counter[str] = Counter()
            for process in psutil.process_iter():
                if process.pid not in before:
                    command = " ".join(process.cmdline())
                    kinds = {
                        "sufficiency.training.trainer": "trainers",
                        "-m worker": "worker",
                        "redis": "Redis",
                        "-m app serve": "API",
                    }
                    kind = next((name for part, name in kinds.items() if part in command), "PostgreSQL")
                    sizes[kind] += process.memory_full_info().pss
            sizes["supervisor (this process)"] = psutil.Process().memory_full_info().pss
        finally:
            service.stop()
    for kind, size in sizes.most_common():
        print(f"{kind:<26} {size / 2**20:7.0f} MiB")
    print(f"{'in all':<26} {sizes.total() / 2**20:7.0f} MiB")


if __name__ == "__main__":
    main()
