"""``python -m sufficiency.cli``: what the `sufficiency` command does."""

from sufficiency.cli import main

main()
