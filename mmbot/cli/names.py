"""The names an instrument goes by for people."""


def goes_by(name: str, instrument: str, venue: str | None, symbol: str | None) -> bool:
    """Whether a row of the tables is meant by `name`, in capitals or not: `instrument` as the row
    has it, with or without the venue before it, or ccxt's symbol. Several rows may be, of several
    venues."""
    plain = instrument.rpartition(":")[2]
    names = (plain, f"{venue}:{plain}", symbol or plain)
    return name.upper() in [one.upper() for one in names]
