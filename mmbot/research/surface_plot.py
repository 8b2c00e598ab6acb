"""A picture of a surface: each expiry's bid, ask and smile, and total variance over all of them."""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from mmbot.errors import ConfigError
from mmbot.pricing.surface import Expiry
from mmbot.research.chain_files import moment_text
from mmbot.research.surface_report import Report

_ENDINGS = (".png", ".svg", ".pdf")
_COLUMNS = 4
_INK, _QUOTE, _MARK, _FAINT = "#1b3a57", "#d9822b", "#9aa5b1", "#e4e7eb"


def require(path: Path) -> None:
    """Raises ConfigError where the picture cannot be drawn or would have nowhere to go."""
    try:
        import matplotlib  # noqa: F401  # to see whether it is there
    except ImportError:
        raise ConfigError(
            "--plot needs matplotlib, which is not installed: run pip install 'mmbot[plots]'"
        ) from None
    if path.suffix not in _ENDINGS:
        raise ConfigError(f"--plot: {path}: name a file that ends in {', '.join(_ENDINGS)}")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"--plot: {path}: there is no folder {path.parent}")


def draw(told: Report, path: Path) -> None:
    """Write the picture. Raises ConfigError where that fails."""
    from matplotlib.figure import Figure

    expiries = told.surface.expiries
    known = [one for one in expiries if one.quotes or one.marks]
    rows = ceil((len(known) + 1) / _COLUMNS)
    figure = Figure(figsize=(3.4 * _COLUMNS, 2.4 * rows + 0.8), dpi=110, layout="constrained")
    grid = figure.add_gridspec(rows, _COLUMNS)
    for number, one in enumerate(known):
        panel = figure.add_subplot(grid[divmod(number, _COLUMNS)])
        _smile(panel, told, one)
    _variances(figure.add_subplot(grid[rows - 1, len(known) % _COLUMNS :]), told)
    errors = told.errors
    fitted = (
        ""
        if errors.median is None or errors.inside is None
        else f":  median error {errors.median:.2f} vol points, "
        f"{100 * errors.inside:.1f} % between bid and ask"
    )
    moment = moment_text(told.surface.at_ns)[:16].replace("T", " ")
    figure.suptitle(f"{told.surface.underlying}, {moment} UTC{fitted}", color=_INK, fontsize=12)
    figure.supxlabel("log-moneyness ln(K / F)", color=_INK, fontsize=9)
    figure.supylabel("volatility in %, bars from bid to ask", color=_INK, fontsize=9)
    try:
        figure.savefig(path)
    except OSError as error:
        raise ConfigError(f"--plot: {path} cannot be written: {error.strerror}") from error


def _smile(panel: Any, told: Report, one: Expiry) -> None:
    """Bid and ask as bars, the smile as a line."""
    cleaned = told.cleaned
    here = cleaned.rows_of(one.expiry_ns)
    k = cleaned.k[here]
    if len(k):
        low, high = 100 * cleaned.bid_vol[here], 100 * cleaned.ask_vol[here]
        panel.vlines(k, low, high, color=_QUOTE, linewidth=2.2, alpha=0.8)
        at = np.linspace(k.min() - 0.02, k.max() + 0.02, 200)
    else:
        at = np.array([point[0] for point in one.marks])
    panel.plot(at, 100 * one.vol(at), color=_MARK if one.smile is None else _INK, linewidth=1.2)
    panel.axvline(0.0, color=_FAINT, linewidth=0.8, zorder=0)
    panel.set_title(
        f"{moment_text(one.expiry_ns)[:10]}, {365 * one.years:.1f} days, {one.model.value}",
        fontsize=9,
    )
    _tidy(panel)


def _variances(panel: Any, told: Report) -> None:
    """Total variance at equal log-moneyness: no line may cross another."""
    k = np.linspace(-1.0, 1.0, 401)
    smiles: list[Expiry] = [one for one in told.surface.expiries if one.smile is not None]
    for number, one in enumerate(smiles):
        tone = 0.25 + 0.7 * (number + 1) / len(smiles)
        panel.plot(k, one.variance(k), color=_INK, alpha=tone, linewidth=1.0)
    panel.set_yscale("log")
    panel.set_title("total variance: no expiry crosses another", fontsize=9)
    _tidy(panel)


def _tidy(panel: Any) -> None:
    panel.tick_params(labelsize=7, colors=_INK)
    panel.locator_params(axis="x", nbins=5)
    for edge in ("top", "right"):
        panel.spines[edge].set_visible(False)
