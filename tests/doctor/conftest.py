"""The command line in this process, and addresses at which somebody answers or nobody."""

from tests.support.command_line import nobody, sufficiency
from tests.support.script import script

__all__ = ["nobody", "script", "sufficiency"]
