"""An identity provider (OpenID Connect): which keys it signs with, and what its tokens say of who holds them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from app.access.errors import BadIssuer, IssuerAway, Unauthenticated
from app.access.exposure import is_loopback

logger = logging.getLogger(__name__)

# Signatures that only the provider can make: with a shared secret, whoever checks could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 30
KEYS_KEPT_SECONDS = 300.0
LOOKED_AGAIN_AFTER_SECONDS = 10.0  # for a key that nobody knows: tokens with made-up keys must not flood the provider
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 1_000_000


class Issuer:
    """One identity provider.

    Parameters
    ----------
    url : str
        Its address, as its tokens name it.
    audience : str
        For whom a token must be.
    fetch : callable, optional
        Returns the JSON at an address.
    clock : callable

    Raises
    ------
    BadIssuer
        When the address is not of https, nor on this machine.
    """

    def __init__(
        self,
        url: str,
        audience: str,
        *,
        fetch: Callable[[str], Mapping[str, Any]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = urlsplit(url)
        if address.scheme != "https" and not (address.scheme == "http" and is_loopback(address.hostname or "")):
            raise BadIssuer(f"{url} is not an address of https: whoever is between could sign tokens")
        self.url = url
        self.audience = audience
        self._fetch = fetch or _fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._looked_at = float("-inf")
        self._about: Mapping[str, Any] | None = None

    def claims(self, token: str, *, audience: str | None = None, nonce: str | None = None) -> dict[str, Any]:
        """Return what a token says, once it is known to be the provider's, for us, and of now.

        Parameters
        ----------
        token : str
        audience : str, optional
            For whom it must be; default the service's.
        nonce : str, optional
            What it must repeat.

        Raises
        ------
        Unauthenticated
            When it is not.
        IssuerAway
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError(f"signed by {header.get('alg')}, which is not taken")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(str(header.get("kid", ""))),
                algorithms=list(ALGORITHMS),
                audience=audience or self.audience,
                issuer=self.url,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.", code="key_expired", error="invalid_token") from None
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"The token is not taken: {error}.", error="invalid_token") from None
        if nonce is not None and claims.get("nonce") != nonce:
            raise Unauthenticated("The token is the answer to another question.", error="invalid_token")
        return claims

    def about(self) -> Mapping[str, Any]:
        """Return what the provider says of itself: where one signs in, where tokens and keys are.

        Raises
        ------
        IssuerAway
        """
        if self._about is None:
            about = self._asked(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self.url:
                raise IssuerAway(f"{self.url} says that it is {about.get('issuer')!r}; name it as it names itself.")
            self._about = about
        return self._about

    def look(self) -> int:
        """Return how many keys it signs with now.

        Raises
        ------
        IssuerAway
        """
        try:
            return len(self._fetched())
        except (KeyError, jwt.PyJWTError) as error:
            raise self._away(error) from error

    def _fetched(self) -> dict[str, jwt.PyJWK]:
        found = jwt.PyJWKSet.from_dict(dict(self._asked(str(self.about()["jwks_uri"]))))
        return {key.key_id or "": key for key in found.keys}

    def _key(self, id: str) -> jwt.PyJWK:
        with self._lock:
            now = self._clock()
            known = id in self._keys
            age = now - self._looked_at
            if age > (KEYS_KEPT_SECONDS if known else LOOKED_AGAIN_AFTER_SECONDS):
                self._looked_at = now
                try:
                    self._keys = self._fetched()
                except (IssuerAway, KeyError, jwt.PyJWTError) as error:
                    if not self._keys:
                        self._looked_at = float("-inf")
                        raise self._away(error) from error
                    logger.warning("the keys of %s stay as they were: %s", self.url, error)
            if id not in self._keys:
                raise jwt.InvalidKeyError("nobody knows the key that it is signed with")
            return self._keys[id]

    def token_for(self, form: Mapping[str, str]) -> str:
        """Return the token of who has signed in, which the provider gives for a code.

        Raises
        ------
        Unauthenticated
            When it takes the code for none of its own.
        IssuerAway
        """
        try:
            answer = httpx.post(str(self.about()["token_endpoint"]), data=dict(form), timeout=TIMEOUT_SECONDS)
            if answer.is_client_error:
                raise Unauthenticated("The identity provider does not take its own code; begin to sign in again.")
            return str(answer.raise_for_status().json()["id_token"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s gives no token: %s", self.url, error)
            raise IssuerAway("The identity provider gives no token; try again.") from error

    def _asked(self, address: str) -> Mapping[str, Any]:
        try:
            return self._fetch(address)
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> IssuerAway:
        logger.warning("%s does not answer: %s", self.url, error)
        return IssuerAway("The identity provider does not answer; try again.", headers={"Retry-After": "2"})


def _fetch(address: str) -> Mapping[str, Any]:
    with httpx.stream("GET", address, timeout=TIMEOUT_SECONDS) as answer:
        answer.raise_for_status()
        content = b""
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MOST_BYTES:
                raise ValueError("the answer has no end")
    found = httpx.Response(200, content=content).json()
    if not isinstance(found, dict):
        raise ValueError("the answer is no object")
    return found
