"""`mmbot price`: what an option, a binary market or a whole chain is worth by its model."""

import typer

from mmbot.cli.price_surface import surface

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command("surface")(surface)


@app.callback()
def price() -> None:
    """What an instrument is worth by a model: options, implied volatility, binary markets."""
