"""`rescli analyze`: the paper's questions, asked of runs."""

from __future__ import annotations

import typer

from rescli.commands.analyze import curves, gradients, imagenet, report, responses, tables

app = typer.Typer(short_help="Draw and tabulate runs as the paper does.", no_args_is_help=True)


@app.callback()
def analyze() -> None:
    """Draw and tabulate runs as the paper does: files, folders and patterns of run stores in, tables and figures out."""


app.command("responses", short_help="Fig. 7: standard deviation of every 3x3 layer's response.")(responses.responses)
app.command("gradients", short_help="Sec. 4.1: gradient norm and forward variance of every layer.")(gradients.gradients)
app.command("curves", short_help="Figs. 1, 4 and 6: training and test error against iterations.")(curves.curves)
app.command("table2", short_help="Table 2: plain and residual nets, 18 and 34 layers, 10 crops.")(imagenet.table2)
app.command("table3", short_help="Table 3: single networks, 10 crops, top-1 and top-5.")(imagenet.table3)
app.command("table4", short_help="Table 4: single networks, several scales, top-1 and top-5.")(imagenet.table4)
app.command("table5", short_help="Table 5: ensembles, top-5.")(imagenet.table5)
app.command("table6", short_help="Table 6: best (mean ± std) over seeds, beside the paper.")(tables.table6)
app.command("compare", short_help="Recipes side by side, only what differs, and the outcomes.")(tables.compare)
app.command("degradation", short_help="Sec. 1: whether error grows with depth.")(tables.degradation)
app.command("report", short_help="One HTML page: claims, verdicts, tables, figures.")(report.report)
