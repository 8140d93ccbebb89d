"""Tests of the command line, the client and the guides."""
