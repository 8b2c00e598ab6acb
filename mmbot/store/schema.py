"""What is in a store. Prices, amounts and money are exact text; moments are wall time in
nanoseconds (`_ns`) unless they are the venue's own milliseconds (`_ms`).

Rows are keyed by (venue, account): one database may hold several accounts, and on a server
several engines. Secrets are nowhere in here.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mmbot.store.decimals import Exact

metadata = MetaData()

# SQLite numbers rows by itself only in a column declared INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

version = Table(
    "mmbot_schema",
    metadata,
    Column("version", Integer, primary_key=True),
)

# --- engines ----------------------------------------------------------------------------------

# The venue, account and endpoint here are those of the first of its run_accounts.
runs = Table(
    "runs",
    metadata,
    Column("run", _Number, primary_key=True, autoincrement=False),
    Column("mode", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("config_path", String),
    Column("env_path", String),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("stopped_ns", BigInteger),
    Column("exit_code", Integer),
)

run_accounts = Table(
    "run_accounts",
    metadata,
    Column("run", ForeignKey("runs.run"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("mode", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),  # of the venue
    Column("endpoint", String, nullable=False),
)

label_blocks = Table(
    "label_blocks",
    metadata,
    Column("run", ForeignKey("runs.run"), primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("upto", Integer, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("mode", String, primary_key=True),
    Column("venue", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("birth", String, nullable=False),
    Column("renewed_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
)

engine_status = Table(
    "engine_status",
    metadata,
    Column("run", ForeignKey("runs.run"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

commands = Table(
    "commands",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("taken_ns", BigInteger),
    Index("commands_waiting", "run", "taken_ns"),
)

latch = Table(
    "latch",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("tripped", Boolean, nullable=False),
    Column("why", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("who", String, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("latch_newest", "venue", "account", "id"),
)

# Where loss limits count from. The accounts of one run have the same: its risk book's.
baselines = Table(
    "baselines",
    metadata,
    Column("venue", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("day", Integer, nullable=False),
    Column("day_start_usd", Double, nullable=False),
    Column("peak_usd", Double, nullable=False),
    Column("total_usd", Double, nullable=False),
    Column("counted", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("run", ForeignKey("runs.run")),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),
)

# The exchange: its venues as `mmbot sim serve --exchange` takes them; the url: where each listens,
# in the same order, with spaces between.
worlds = Table(
    "worlds",
    metadata,
    Column("world_id", String, primary_key=True),
    Column("exchange", String, nullable=False),
    Column("seed", String, nullable=False),
    Column("at", String, nullable=False),
    Column("url", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
)

# --- trading ----------------------------------------------------------------------------------

orders = Table(
    "orders",
    metadata,
    Column("label", String, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("side", String, nullable=False),
    Column("level", Integer, nullable=False),
    Column("price", Exact, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("filled", Exact, nullable=False),
    Column("status", String, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("order_id", String, nullable=False),
    Column("venue_ms", BigInteger, nullable=False),
    Column("why", String, nullable=False),
    Column("noted_ns", BigInteger, nullable=False),
    Index("orders_open", "final", "venue", "account"),
)

# Whose an order is where the venue names no labels: its label is written before it is sent, its id
# when that is known.
order_ids = Table(
    "order_ids",
    metadata,
    Column("venue", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("label", String, primary_key=True),
    Column("order_id", String),
    Column("sent_ms", BigInteger, nullable=False),  # desk time
    Column("noted_ns", BigInteger, nullable=False),
    Index("order_ids_by_time", "noted_ns"),
)

fills = Table(
    "fills",
    metadata,
    Column("venue", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("trade_id", String, primary_key=True),
    # A trade with ourselves is two executions under one id.
    Column("side", String, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("ours", Boolean, nullable=False),
    Column("instrument", String, nullable=False),
    Column("price", Exact, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_currency", String, nullable=False),
    Column("liquidity", String, nullable=False),
    Column("order_id", String, nullable=False),
    Column("label", String),
    Column("venue_ms", BigInteger, nullable=False),
    Column("mark", Exact, nullable=False),
    Column("index", Exact),
    Column("booked_ns", BigInteger, nullable=False),
    # final, provisional, or voided: then its reversal has a row of its own.
    Column("finality", String, nullable=False, server_default="final"),
    Column("reverses", String),  # of a reversal: the trade that is taken back
    Index("fills_by_time", "venue_ms"),
)

# What changed a position or the account without a trade: openings, funding, deliveries, transfers.
entries = Table(
    "entries",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("ref", String, nullable=False),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("instrument", String),
    Column("currency", String, nullable=False),
    Column("amount", Exact, nullable=False),  # of the position: taken over, or delivered
    Column("price", Exact),  # the mark it was taken over at, or the payoff
    Column("money", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("booked_ns", BigInteger, nullable=False),
    Column("index", Exact),
    UniqueConstraint("venue", "account", "kind", "ref"),
)

# The contract terms of everything that was ever booked, so that reports need no venue.
instruments = Table(
    "instruments",
    metadata,
    Column("instrument", String, primary_key=True),
    Column("terms", Text, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("venue", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("instrument", String, primary_key=True),
    Column("amount", Exact, nullable=False),
    Column("opened_ms", BigInteger),
    Column("opening", Exact, nullable=False),
    Column("open_value", Exact, nullable=False),
    Column("cash", Exact, nullable=False),
    Column("realized", Exact, nullable=False),
    Column("fees", Exact, nullable=False),
    Column("spread", Exact, nullable=False),
    Column("inventory", Exact, nullable=False),
    Column("funding", Exact, nullable=False),
    Column("mark", Exact),
    Column("fills", Integer, nullable=False),
    Column("volume", Exact, nullable=False),
    Column("last_fill_ms", BigInteger, nullable=False),
    Column("booked_ns", BigInteger, nullable=False),
)

equity_samples = Table(
    "equity_samples",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("equity", Exact, nullable=False),
    Column("balance", Exact, nullable=False),
    Column("desk_ms", BigInteger),
    Index("equity_by_time", "at_ns"),
)

mark_samples = Table(
    "mark_samples",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("desk_ms", BigInteger, nullable=False),
    Column("mark", Exact, nullable=False),
    Column("index", Exact),
    Column("accrued", Exact, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("marks_by_time", "at_ns"),
)

pnl_samples = Table(
    "pnl_samples",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("run", ForeignKey("runs.run"), nullable=False),
    Column("venue", String, nullable=False),
    Column("account", String, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("total", Exact, nullable=False),
    Column("spread", Exact, nullable=False),
    Column("inventory", Exact, nullable=False),
    Column("fees", Exact, nullable=False),
    Column("realized", Exact, nullable=False),
    Column("unrealized", Exact, nullable=False),
    Column("funding", Exact, nullable=False),
    Index("pnl_by_time", "at_ns"),
)
