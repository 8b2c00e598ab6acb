"""Methods of an account: what it holds and owes, its past, its keys, its protection."""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.ledger import EntryType
from mmbot.sim.exchange.listing import ZERO, Kind, payoff
from mmbot.sim.wire.derive import portfolio
from mmbot.sim.wire.derive.calls import Method, enter, paged
from mmbot.sim.wire.derive.errors import WireError, invalid_params
from mmbot.sim.wire.derive.mmp import SECOND_MS, MmpConfig, Protection
from mmbot.sim.wire.derive.params import Params
from mmbot.sim.wire.derive.session import Session
from mmbot.sim.wire.derive.shapes import Json
from mmbot.sim.wire.derive.venue import DeriveVenue
from mmbot.sim.wire.derive.wallet import Wallet
from mmbot.sim.wire.derive.words import text

METHODS: Final[dict[str, Method]] = {}
method = enter(METHODS)


def _wallet(session: Session, params: Params) -> Wallet:
    """The wallet asked about, which must be the caller's."""
    if params.text("wallet").lower() != session.owner.owner:
        raise WireError(14020, "wallet does not match")
    return session.owner


def _accounts(session: Session, params: Params) -> dict[int, str]:
    """The subaccounts asked about: one, or all of the wallet."""
    if params.raw.get("wallet") is not None:
        return _wallet(session, params).subaccounts
    subaccount_id = params.loose_integer_or("subaccount_id", None)
    if subaccount_id is None:
        raise WireError(14025, "one of wallet and subaccount_id is required")
    return {subaccount_id: session.account_of(subaccount_id)}


# -- what it is, and what it holds ---------------------------------------------------------------


@method("private/get_account")
def _account(venue: DeriveVenue, session: Session, params: Params) -> Json:
    wallet, tiers = _wallet(session, params), venue.rules.tiers
    fees = ("option_maker_fee", "option_taker_fee", "perp_maker_fee", "perp_taker_fee")
    return {
        "wallet": wallet.owner,
        "subaccount_ids": sorted(wallet.subaccounts),
        "fallback_subaccount_id": 0,
        "cancel_on_disconnect": wallet.cancels_on_disconnect,
        "creation_timestamp_sec": venue.opened_ms // SECOND_MS,
        "fee_info": dict.fromkeys((*fees, "spot_maker_fee", "spot_taker_fee"))
        | dict.fromkeys(("base_fee_discount", "rfq_maker_discount", "rfq_taker_discount"), "0"),
        "is_rfq_maker": False,
        "per_endpoint_tps": {
            "private/cancel_all": tiers.cancel_all,
            "private/cancel_by_label": tiers.by_label,
        },
        "referral_code": None,
        "websocket_matching_tps": tiers.matching,
        "websocket_non_matching_tps": tiers.other,
        "websocket_option_tps": tiers.instrument,
        "websocket_perp_tps": tiers.in_perpetual,
        "whitelisted_recipients": [],
    }


@method("private/get_subaccounts")
def _subaccounts(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    wallet = _wallet(session, params)
    return {"wallet": wallet.owner, "subaccount_ids": sorted(wallet.subaccounts)}


@method("private/get_subaccount")
def _subaccount(venue: DeriveVenue, session: Session, params: Params) -> Json:
    return venue.subaccount(session, params.integer("subaccount_id"))


@method("private/get_all_portfolios")
def _portfolios(venue: DeriveVenue, session: Session, params: Params) -> list[Json]:
    wallet = _wallet(session, params)
    return [venue.subaccount(session, one) for one in sorted(wallet.subaccounts)]


@method("private/change_subaccount_label")
def _label(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id, label = params.integer("subaccount_id"), params.text("label")
    session.account_of(subaccount_id)
    session.owner.labels[subaccount_id] = label
    return {"subaccount_id": subaccount_id, "label": label}


@method("private/get_positions")
def _positions(venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id = params.integer("subaccount_id")
    rows = venue.positions(session.account_of(subaccount_id))
    return {"subaccount_id": subaccount_id, "positions": rows}


@method("private/get_collaterals")
def _collaterals(venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id = params.integer("subaccount_id")
    row = portfolio.collateral(venue.exchange, session.account_of(subaccount_id))
    return {"subaccount_id": subaccount_id, "collaterals": [row]}


@method("private/session_keys")
def _session_keys(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    wallet = _wallet(session, params)
    ids = sorted(wallet.subaccounts)
    return {"public_session_keys": [key.told(ids) for key in wallet.keys.values()]}


# -- its past ------------------------------------------------------------------------------------


@method("private/get_order_history")
def _order_history(venue: DeriveVenue, session: Session, params: Params) -> Json:
    accounts = _accounts(session, params)
    first_ms, last_ms = params.span("from_timestamp", "to_timestamp")
    found = [
        order
        for account in accounts.values()
        for order in venue.ended(account)
        if first_ms <= order.updated_ms <= last_ms
    ]
    rows, told = paged(found, params)
    return {
        "subaccount_id": min(accounts),
        "orders": venue.order_rows(rows),
        "pagination": told,
    }


@method("private/get_trade_history")
def _trade_history(venue: DeriveVenue, session: Session, params: Params) -> Json:
    accounts = _accounts(session, params)
    first_ms, last_ms = params.span("from_timestamp", "to_timestamp")
    order_id, name = params.text_or("order_id", ""), params.text_or("instrument_name", "")
    found = [
        row
        for account in accounts.values()
        for row in reversed(venue.trades(account))
        if first_ms <= row["timestamp"] <= last_ms
        and order_id in ("", row["order_id"])
        and name in ("", row["instrument_name"])
    ]
    rows, told = paged(found, params)
    return {"subaccount_id": min(accounts), "trades": rows, "pagination": told}


@method("private/get_funding_history")
def _funding_history(venue: DeriveVenue, session: Session, params: Params) -> Json:
    first_ms, last_ms = params.span("start_timestamp", "end_timestamp")
    name = params.text_or("instrument_name", "")
    found = [
        {
            "subaccount_id": subaccount_id,
            "instrument_name": done.name,
            "timestamp": done.time_ms,
            "funding": text(done.funding),
            "pnl": text(done.session_profit - done.funding),
            "batch_status": "Settled",
            "batch_uuid": _uuid_of(done.time_ms),
            "tx_hash": None,
        }
        for subaccount_id, account in _accounts(session, params).items()
        for done in reversed(venue.exchange.accounts[account].settlements)
        if done.type is EntryType.SETTLEMENT
        and name in ("", done.name)
        and first_ms <= done.time_ms <= last_ms
    ]
    rows, told = paged(found, params)
    return {"events": rows, "pagination": told}


@method("private/get_option_settlement_history")
def _option_settlements(venue: DeriveVenue, session: Session, params: Params) -> Json:
    rows = []
    for subaccount_id, account in _accounts(session, params).items():
        for done in reversed(venue.exchange.accounts[account].settlements):
            listing = venue.exchange.terms(done.name)
            if done.type is not EntryType.DELIVERY or listing.kind is not Kind.OPTION:
                continue
            rows.append(
                {
                    "subaccount_id": subaccount_id,
                    "instrument_name": done.name,
                    "amount": text(done.position),
                    "expiry": listing.expiry_ms // SECOND_MS,
                    "settlement_price": text(done.index),
                    "settlement_value": text(done.position * payoff(listing, done.index)),
                }
            )
    return {"settlements": rows}


@method("private/get_interest_history")
def _interest(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    _accounts(session, params)
    return {"events": []}


@method("private/get_deposit_history")
def _deposits(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    _accounts(session, params)
    return {"deposits": []}


@method("private/get_withdrawal_history")
def _withdrawals(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    _accounts(session, params)
    return {"withdrawals": []}


@method("private/get_erc20_transfer_history")
def _transfers(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    _accounts(session, params)
    return {"transfers": []}


# -- its protection ------------------------------------------------------------------------------


@method("private/set_mmp_config", trades=True)
def _set_mmp(_venue: DeriveVenue, session: Session, params: Params) -> Json:
    subaccount_id, currency = params.integer("subaccount_id"), params.text("currency")
    session.account_of(subaccount_id)
    interval_ms, frozen_ms = params.integer("mmp_interval"), params.integer("mmp_frozen_time")
    config = MmpConfig(
        interval_ms=interval_ms - interval_ms % SECOND_MS,
        frozen_ms=frozen_ms - frozen_ms % SECOND_MS,
        amount_limit=params.decimal_or("mmp_amount_limit", ZERO),
        delta_limit=params.decimal_or("mmp_delta_limit", ZERO),
    )
    if min(interval_ms, frozen_ms) < 0 or min(config.amount_limit, config.delta_limit) < 0:
        raise invalid_params("must not be negative")
    session.owner.protections[subaccount_id, currency] = Protection(config)
    return config.told(subaccount_id, currency)


@method("private/get_mmp_config")
def _get_mmp(venue: DeriveVenue, session: Session, params: Params) -> list[Json]:
    return [
        protection.told(subaccount_id, currency, venue.now_ms())
        for (subaccount_id, currency), protection in _protections(session, params)
    ]


@method("private/reset_mmp", trades=True)
def _reset_mmp(_venue: DeriveVenue, session: Session, params: Params) -> str:
    for _, protection in _protections(session, params):
        protection.reset()
    return "ok"


def _protections(session: Session, params: Params) -> list[tuple[tuple[int, str], Protection]]:
    subaccount_id, currency = params.integer("subaccount_id"), params.text_or("currency", "")
    session.account_of(subaccount_id)
    return [
        (key, protection)
        for key, protection in session.owner.protections.items()
        if key[0] == subaccount_id and currency in ("", key[1])
    ]


def _uuid_of(count: int) -> str:
    return f"{count >> 48:08x}-0000-4000-8000-{count & 2**48 - 1:012x}"
