"""The verb about which hosted models take requests."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json

_Limits = Annotated[
    str,
    Parameter(
        help="CSV of the models that you may use: model, provider, tier, requests_per_min, tokens_per_min, input_tokens_per_min, "
        "output_tokens_per_min, and your own quality, tokens_per_s, ttft_s."
    ),
]
_Rate = Annotated[str | None, Parameter(help="Requests that come; default: only the cheapest is named. [500/min]")]
_Floor = Annotated[
    float | None, Parameter(help="Least quality, on your table's scale, of a model that takes any. [0.7]")
]
_Within = Annotated[str | None, Parameter(help="Longest time of an answer, by your ttft_s and tokens_per_s. [20s]")]


def choose(
    limits: _Limits,
    *,
    prompt: Annotated[str, Parameter(help="Tokens of a prompt, cached ones counted. [8k]")],
    output: Annotated[str, Parameter(help="Tokens of an answer. [1k]")],
    cached: Annotated[str | None, Parameter(help="Of the prompt, read from the cache. [4k]")] = None,
    rate: _Rate = None,
    floor: _Floor = None,
    within: _Within = None,
    date: Annotated[str | None, Parameter(help="Day of the prices; default: today. [2026-11-27]")] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Choose hosted models by price under your rate limits and your own floor of quality: who takes how many requests.

    --csv is a row per model.
    """
    from headway import units
    from headway.catalog import use
    from headway.cli.billing import Common
    from headway.cli.output import emit, emit_csv
    from headway.cli.terminal import show
    from headway.economics.quotes import Workload, read_per_day, read_tokens
    from headway.plan.model_choice import choose_models, read_accounts
    from headway.records.model_choice import candidate_rows

    use(catalog)
    a_day = read_per_day(rate, "--rate")
    work = Workload(
        read_tokens(prompt, "--prompt"), read_tokens(output, "--output"), read_tokens(cached or 0, "--cached")
    )
    found = choose_models(
        read_accounts(limits), work, Common("", None, date, None).day, floor=floor, rate=None if a_day is None else float(a_day) / 1440,
        within=None if within is None else units.parse(within, units.SECONDS, "--within"),
    )  # fmt: skip
    if json:
        emit(found.to_dict())
    elif csv:
        emit_csv(candidate_rows(found))
    else:
        show(found.text())
