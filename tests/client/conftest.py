"""The application on a free port with a completed job, and a server of scripted answers."""

from tests.support.command_line import nobody, patience, sufficiency
from tests.support.listening import client, job, measured, settings, url, worker
from tests.support.script import script

__all__ = ["client", "job", "measured", "nobody", "patience", "script", "settings", "sufficiency", "url", "worker"]
