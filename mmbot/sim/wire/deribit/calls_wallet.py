"""Methods about money that comes and goes, and about the accounts it belongs to."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.calls import Method, enter
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.filters import COUNT_MAX, currency_of
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.deribit.shapes import Json
from mmbot.sim.wire.deribit.venue import DeribitVenue

COUNT_DEFAULT: Final = 10
ADDRESS_SINCE_MS: Final = 1_500_000_000_000

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


@method("private/get_subaccounts")
def _get_subaccounts(venue: DeribitVenue, session: Session, params: Params) -> list[Json]:
    account: Json = {
        "id": shapes.USER_ID,
        "username": session.owner,
        "system_name": session.owner,
        "type": "main",
        "email": f"{session.owner}@example.com",
        "is_password": True,
        "login_enabled": True,
        "receive_notifications": False,
        "security_keys_enabled": False,
        "security_keys_assignments": [],
    }
    if params.flag("with_portfolio"):
        account["portfolio"] = {
            currency.lower(): _portfolio(venue, session.owner, currency)
            for currency in venue.currencies()
        }
    return [account]


def _portfolio(venue: DeribitVenue, account: str, currency: str) -> Json:
    summary = venue.summary_of(account, currency)
    wanted = (
        "margin_balance",
        "maintenance_margin",
        "initial_margin",
        "equity",
        "balance",
        "available_withdrawal_funds",
        "available_funds",
        "additional_reserve",
        "spot_reserve",
    )
    return {"currency": currency.lower(), **{name: summary[name] for name in wanted}}


@method("private/get_deposits")
def _get_deposits(venue: DeribitVenue, _session: Session, params: Params) -> Json:
    currency_of(venue, params)
    return _page([], params)


@method("private/get_withdrawals")
def _get_withdrawals(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    rows = venue.wallet.of(session.owner).withdrawals
    return _page([row for row in rows if row["currency"] == currency], params)


@method("private/get_transfers")
def _get_transfers(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    rows = venue.wallet.of(session.owner).transfers
    return _page([row for row in rows if row["currency"] == currency], params)


@method("private/submit_transfer_to_subaccount", "private/submit_transfer_to_user")
def _submit_transfer(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    amount = _amount(params)
    return venue.wallet.transfer(session.owner, currency, amount, params.text("destination"))


@method("private/withdraw")
def _withdraw(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    amount = _amount(params)
    return venue.wallet.withdraw(session.owner, currency, amount, params.text("address"))


@method("private/get_current_deposit_address", "private/create_deposit_address")
def _deposit_address(venue: DeribitVenue, session: Session, params: Params) -> Json:
    currency = currency_of(venue, params)
    return {
        "address": venue.wallet.address(session.owner, currency),
        "currency": currency,
        "type": "deposit",
        "creation_timestamp": ADDRESS_SINCE_MS,
    }


def _amount(params: Params) -> Decimal:
    amount = params.decimal_or_none("amount")
    if amount is None:
        raise invalid_params("value required", "amount")
    if amount <= 0:
        raise invalid_params("must be positive", "amount")
    return amount


def _page(rows: list[Json], params: Params) -> Json:
    """Newest first; `count` is of all there are."""
    count = params.integer_or("count", COUNT_DEFAULT)
    if not 1 <= count <= COUNT_MAX:
        raise invalid_params(f"must be from 1 to {COUNT_MAX}", "count")
    offset = params.integer_or("offset", 0)
    newest = rows[::-1]
    return {"data": newest[offset : offset + count], "count": len(rows)}
