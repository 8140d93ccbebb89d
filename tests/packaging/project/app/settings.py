"""Its settings, in a module that the service has under the same name."""

PIXELS = 64
