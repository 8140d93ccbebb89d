"""A server of scripted answers, and none at all."""

from tests.support.command_line import nobody, patience
from tests.support.script import script

__all__ = ["nobody", "patience", "script"]
