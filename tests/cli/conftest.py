"""The command line in this process, the application on a free port, and a server of scripted answers."""

from tests.support.command_line import nobody, patience, sufficiency
from tests.support.listening import client, measured, settings, url, worker
from tests.support.script import script

__all__ = ["client", "measured", "nobody", "patience", "script", "settings", "sufficiency", "url", "worker"]
