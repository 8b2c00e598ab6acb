"""Who is asking: the three grants, the REST signature header, and the tokens.

Timestamps in signatures are part of the signed text but are not compared with any clock: the
simulated date is not the caller's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from mmbot.sim.wire.deribit.errors import invalid_credentials, invalid_params, unauthorized
from mmbot.sim.wire.deribit.params import Params

SCOPE: Final = (
    "account:read_write block_trade:read_write connection trade:read_write wallet:read_write"
)
SIGNATURE_SCHEME: Final = "deri-hmac-sha256"
TOKENS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Grant:
    """A token pair; `expires_ms` is venue time."""

    account: str
    access_token: str
    refresh_token: str
    expires_ms: int


class Gatekeeper:
    """Knows the one key pair, and the tokens it has handed out."""

    def __init__(self, key: str, secret: str, account: str, expires_in_s: float) -> None:
        self.key = key
        self.account = account
        self.expires_in_s = expires_in_s
        self._secret = secret.encode()
        self._count = 0
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}

    def grant(self, params: Params, now_ms: int) -> Grant:
        """Carry out `public/auth`; raises 13004 for wrong credentials."""
        kind = params.text("grant_type")
        if kind == "client_credentials":
            known = params.text("client_id") == self.key
            given = params.text("client_secret").encode()
            if not known or not hmac.compare_digest(given, self._secret):
                raise invalid_credentials()
        elif kind == "client_signature":
            signed = f"{params.text('timestamp')}\n{params.text_or('nonce', '')}\n"
            signed += params.text_or("data", "") or ""
            if params.text("client_id") != self.key:
                raise invalid_credentials()
            if not self._signed(signed, params.text("signature")):
                raise invalid_credentials()
        elif kind == "refresh_token":
            if self._by_refresh.pop(params.text("refresh_token"), None) is None:
                raise invalid_credentials()
        else:
            raise invalid_params(
                "must be one of client_credentials, client_signature, refresh_token", "grant_type"
            )
        return self._new_grant(now_ms)

    def forget(self) -> None:
        """No token that has been handed out is good any more."""
        self._by_access.clear()
        self._by_refresh.clear()

    def by_token(self, token: str, now_ms: int) -> Grant:
        """The grant behind an access token; raises 13009 when unknown or expired."""
        grant = self._by_access.get(token)
        if grant is None or grant.expires_ms <= now_ms:
            raise unauthorized("invalid_token")
        return grant

    def by_header(
        self, header: str, method: str, path_and_query: str, body: str, now_ms: int
    ) -> str:
        """The account behind a REST Authorization header; raises 13009 or 13004.

        The signed text is timestamp, nonce, METHOD, path with query, and body, a line each.
        """
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.by_token(rest.strip(), now_ms).account
        if scheme.lower() == "basic":
            try:
                key, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise invalid_credentials() from None
            if key != self.key or not hmac.compare_digest(secret.encode(), self._secret):
                raise invalid_credentials()
            return self.account
        if scheme != SIGNATURE_SCHEME:
            raise unauthorized("unknown authorization scheme")
        fields = dict(field.strip().partition("=")[::2] for field in rest.split(","))
        if fields.get("id") != self.key:
            raise invalid_credentials()
        text = f"{fields.get('ts', '')}\n{fields.get('nonce', '')}\n"
        text += f"{method}\n{path_and_query}\n{body}\n"
        if not self._signed(text, fields.get("sig", "")):
            raise invalid_credentials()
        return self.account

    def _signed(self, text: str, signature: str) -> bool:
        expected = hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())

    def _new_grant(self, now_ms: int) -> Grant:
        self._count += 1
        stem = hmac.new(self._secret, f"token {self._count}".encode(), hashlib.sha256).hexdigest()
        grant = Grant(
            self.account,
            f"{now_ms}.1{stem}",
            f"{now_ms}.2{stem}",
            now_ms + round(self.expires_in_s * 1000),
        )
        self._by_access[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        for tokens in (self._by_access, self._by_refresh):
            if len(tokens) > TOKENS_MAX:
                del tokens[next(iter(tokens))]
        return grant
