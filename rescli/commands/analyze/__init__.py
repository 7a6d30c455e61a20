"""`rescli analyze`: the paper's questions, asked of runs."""

from __future__ import annotations

import typer

from rescli.commands.analyze import curves, gradients, report, responses, tables

app = typer.Typer(help="Draw and tabulate runs as the paper does.", no_args_is_help=True)


@app.callback()
def analyze() -> None:
    """Draw and tabulate runs as the paper does: files, folders and patterns of run stores in, tables and figures out."""


app.command("responses", short_help="Fig. 7: standard deviation of every 3x3 layer's response.")(responses.responses)
app.command("gradients", short_help="Sec. 4.1: gradient norm and forward variance of every layer.")(gradients.gradients)
app.command("curves", short_help="Figs. 1 and 6: training and test error against iterations.")(curves.curves)
app.command("table6", short_help="Table 6: best (mean ± std) over seeds, beside the paper.")(tables.table6)
app.command("compare", short_help="Recipes side by side, only what differs, and the outcomes.")(tables.compare)
app.command("degradation", short_help="Sec. 1: whether error grows with depth.")(tables.degradation)
app.command("report", short_help="One HTML page: claims, verdicts, tables, figures.")(report.report)
