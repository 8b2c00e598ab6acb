"""Whether a session key may do what a market maker does, by what the venue has registered.

A wallet's own key may do everything. A session key needs the scope of trading, all of it where
cancel-on-disconnect is to be set, which covers orders of every kind.
"""

from typing import Final

from mmbot.venues.derive.messages import SessionKey
from mmbot.venues.derive.signing import Signer
from mmbot.venues.reading import Unread, Unreadable, each, fields_of, read

TRADING: Final = frozenset({"admin", "trade:all"})
"""Scopes by which a key may trade anything and set cancel-on-disconnect, as derive-py names them;
the venue's pages write Trade(All)."""


def trouble_with(signer: Signer, data: object, now_s: int, unread: Unread) -> str | None:
    """What keeps a key from trading for its wallet, in words, by private/session_keys; None where
    nothing does. Raises Unreadable where the list cannot be read."""
    if signer.is_owner:
        return None
    listed = fields_of(data, "session keys").get("public_session_keys")
    keys, unreadable = each(
        listed, lambda row: read(SessionKey, row, unread, "session key"), unread, "session key"
    )
    found = next((k for k in keys if k.public_session_key.lower() == signer.address.lower()), None)
    if found is None:
        if unreadable:
            raise Unreadable(f"session keys: {unreadable} cannot be read")
        return _not_registered(signer, keys)
    if found.expiry_sec <= now_s:
        return f"the session key {signer.address} has expired"
    if found.subaccount_ids and signer.subaccount_id not in found.subaccount_ids:
        may = ", ".join(map(str, found.subaccount_ids))
        return f"the session key {signer.address} is for the subaccounts {may}"
    scopes = found.protocol_scopes
    if scopes is not None and not TRADING & {_plain(one) for one in scopes}:
        may = ", ".join(scopes) or "nothing"
        return f"the session key {signer.address} may not trade all (trade:all), only {may}"
    return None


def _plain(scope: str) -> str:
    return scope.lower().replace("(", ":").removesuffix(")")


def _not_registered(signer: Signer, keys: list[SessionKey]) -> str:
    known = ", ".join(key.public_session_key for key in keys) or "none"
    return (
        f"{signer.address}, which the private key belongs to, is no key of the wallet "
        f"{signer.owner} (its session keys: {known})"
    )
