"""A small identity provider: real keys, tokens signed with them, and the addresses at which OpenID Connect has them."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

CLIENT, SECRET = "sufficiency-page", "between-us"


class TinyIssuer:
    """An identity provider on loopback.

    Attributes
    ----------
    url : str
    asked : list of str
        The paths that were asked for.
    person : dict
        Claims of whoever signs in next.
    away : bool
        Whether it answers nothing but 503.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.person: dict[str, Any] = {"sub": "ada"}
        self.away = False
        self._keys: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self.new_key("first")

    def new_key(self, id: str, kind: str = "RS256") -> None:
        """Sign with another key from now on, beside those before."""
        made: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        self._keys[id] = (kind, made)

    def token(self, *, key: str | None = None, algorithm: str | None = None, **claims: Any) -> str:
        """Return a signed token; a claim that is None is left out."""
        id = key or list(self._keys)[-1]
        kind, secret = self._keys[id]
        now = int(time.time())
        told = {"iss": self.url, "aud": "sufficiency", "sub": "ada", "iat": now, "exp": now + 60} | claims
        told = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(told, secret, algorithm=algorithm or kind, headers={"kid": id})

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a program's question."""
        self.asked.append(path)
        if self.away:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            places = {name: f"{self.url}/{place}" for name, place in PLACES.items()}
            return 200, {"issuer": self.url, **places}
        if path == "/jwks":
            algorithms = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}
            return 200, {
                "keys": [
                    {
                        **algorithms[kind].to_jwk(secret.public_key(), as_dict=True),  # type: ignore[attr-defined]
                        "kid": id,
                        "use": "sig",
                        "alg": kind,
                    }
                    for id, (kind, secret) in self._keys.items()
                ]
            }
        if path == "/token":
            asked = self._codes.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if (
                asked is None
                or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET)
                or (asked["redirect_uri"], asked["code_challenge"]) != (form.get("redirect_uri"), proof)
            ):
                return 400, {"error": "invalid_grant"}
            token = self.token(aud=CLIENT, nonce=asked["nonce"], **self.person)
            return 200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"}
        return 404, {}

    def sign_in(self, address: str) -> str:
        """Return where the provider sends a browser back that came to this address, once the person has signed in."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.url}/authorize?")
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"


PLACES = {"jwks_uri": "jwks", "authorization_endpoint": "authorize", "token_endpoint": "token"}


@contextmanager
def tiny_issuer() -> Iterator[TinyIssuer]:
    """Run an identity provider on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/authorize?"):  # whoever comes is signed in already
                self.send_response(302)
                self.send_header("Location", issuer.sign_in(issuer.url + self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            status, told = issuer.answer(urlsplit(self.path).path, form)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = TinyIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="issuer", daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
