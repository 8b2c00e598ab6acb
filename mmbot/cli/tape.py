"""`mmbot tape`: look back at what an engine did, turn by turn, and prove that it follows from what
happened."""

import typer

from mmbot.cli.tape_show import show
from mmbot.cli.tape_verify import verify

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command("verify")(verify)
app.command("show")(show)


@app.callback()
def tape() -> None:
    """The journal of turns: everything that happened to an engine, and what it decided."""
