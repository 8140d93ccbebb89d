"""A PostgreSQL that goes away is told apart from one that refuses, at whatever moment it goes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import make_url

from app.db.engine import DATABASE_AWAY, Database


def carry(source: socket.socket, sink: socket.socket, until: bytes = b"") -> None:
    """Pass bytes on; end both connections before a message that begins with `until`."""
    with suppress(OSError):
        while (data := source.recv(1 << 16)) and not (until and data.startswith(until)):
            sink.sendall(data)
    for side in (source, sink):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def goes_at_the_first_query(fresh_database: str) -> Iterator[str]:
    """A database's URL over a way that breaks once the connection is made and asks its first question."""
    url = make_url(fresh_database)
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = door.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(f"{url.query['host']}/.s.PGSQL.5432")
                    connections.extend((client, server))
                    for way in ((client, server, b"Q"), (server, client)):
                        threading.Thread(target=carry, args=way, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        port = door.getsockname()[1]
        away = url.set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
        yield away.render_as_string(hide_password=False)
        door.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


def test_a_database_that_goes_while_a_connection_is_set_up(goes_at_the_first_query: str) -> None:
    database = Database(goes_at_the_first_query)
    with pytest.raises(DATABASE_AWAY), database.transaction() as session:
        session.connection()
    database.dispose()
