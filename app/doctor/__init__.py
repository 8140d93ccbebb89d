"""Looks at a live service through its settings, its database and its broker, and names what is wrong with the remedy.

It writes nothing, and needs no API: what it looks for is also what is wrong when that does not answer.
"""
