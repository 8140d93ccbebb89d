"""``python -P -m app COMMAND …``: what `sufficiency` becomes for the commands of the service."""

from app.commands import main

main()
