"""One record of a usage log, in the shapes that APIs write: tokens by line, the model, the tier that served it, when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from headway.economics.bills import STANDARD, Usage
from headway.errors import InputError, quoted

Record = Mapping[str, Any]
TIERS = {
    "": STANDARD, "standard": STANDARD, "default": STANDARD, "auto": "", "standard_only": STANDARD, "batch": "batch",
    "flex": "flex", "priority": "priority", "fast": "fast", "ultrafast": "ultrafast", "on_demand": STANDARD,
}  # fmt: skip
_WRAPPED = ("response", "body", "message", "result", "data")
_MOST = Decimal(10) ** 15  # tokens of a row: beyond it the log is broken
_YEARS = range(2000, 2100)  # of a row: elsewhere it counts time in another unit
_TIMES = ("timestamp", "created_at", "created", "time", "date", "startTime")


@dataclass(frozen=True)
class Used:
    """What one request used.

    Attributes
    ----------
    line : int
        In its file. [1]
    id : str
        Of the answer; "" where the log has none.
    model, provider : str
        As the log names them; a provider may be "".
    usage : Usage
        Without `written`.
    written : Decimal
        Prompt tokens written to the cache for the provider's usual time. [tokens]
    tier : str
        That served it.
    asked : str
        Tier that was asked for; "" where the log does not say.
    when : datetime or None
        UTC.
    """

    line: int
    id: str
    model: str
    provider: str
    usage: Usage
    written: Decimal
    tier: str
    asked: str
    when: datetime.datetime | None


def used(record: Any, line: int) -> Used:
    """Read a record: an OpenAI, Anthropic or Gemini answer (bare, in a batch's line, or in a log's), or plain columns.

    Parameters
    ----------
    record : mapping
    line : int
        Where it stands. [1]

    Raises
    ------
    InputError
        When it has no model or no usage, or numbers that cannot be.
    """
    if not isinstance(record, Mapping):
        raise InputError(f"{quoted(record)} is no record; an object is needed")
    outer = cast(Record, record)
    inner = _answer(outer)
    tokens = _tokens(inner)
    said = _find((inner, outer), ("model", "modelVersion", "model_name", "model_id"))
    if not said:
        raise InputError("no model")
    usage, written = _usage(tokens)
    tier = _tier(inner, tokens, outer)
    asked = str(_find((_inside(outer, "request"),), ("service_tier",)) or outer.get("requested_tier") or "")
    return Used(
        line, str(_find((inner, outer), ("id", "responseId", "request_id", "custom_id")) or ""), str(said),
        str(_find((inner, outer), ("provider",)) or ""), usage, written, tier, TIERS.get(asked.lower(), asked.lower()) if asked else "",
        _when(_find((inner, outer), _TIMES)),
    )  # fmt: skip


def _inside(record: Record, key: str) -> Record:
    value = record.get(key)
    return cast(Record, value) if isinstance(value, Mapping) else {}


def _find(records: tuple[Record, ...], keys: tuple[str, ...]) -> Any:
    return next((r[k] for r in records for k in keys if r.get(k) not in (None, "")), None)


def _answer(record: Record) -> Record:
    """The answer inside a log's or a batch's line."""
    for _ in range(len(_WRAPPED)):
        if any(k in record for k in ("usage", "usageMetadata", "usage_metadata")):
            return record
        inside = [r for k in _WRAPPED if (r := _inside(record, k))]
        if not inside:
            break
        record = inside[0]
    return record


def _tokens(record: Record) -> Record:
    for key in ("usage", "usageMetadata", "usage_metadata"):
        if key in record:
            if not isinstance(record[key], Mapping):
                raise InputError(f"{key} is {quoted(record[key])}; an object is needed")
            return cast(Record, record[key])
    if not any(k in record for k in ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt", "input")):
        raise InputError("no usage")
    return record


def _number(tokens: Record, *keys: str) -> Decimal | None:
    """The first of some counts that is there; whole and not negative. [tokens]"""
    for key in keys:
        value = tokens.get(key)
        if value is None or value == "":
            continue
        try:
            found = Decimal(str(value).strip())
        except ArithmeticError:
            found = Decimal("NaN")
        said = str(value) if isinstance(value, Decimal) else quoted(value)
        if isinstance(value, bool) or not found.is_finite() or found < 0 or found != int(found):
            raise InputError(f"{key} is {said}; a whole number of tokens is needed")
        if found > _MOST:
            raise InputError(f"{key} is {said}; no row has more than {_MOST:,} tokens")
        return Decimal(int(found))
    return None


def _usage(tokens: Record) -> tuple[Usage, Decimal]:
    zero = Decimal(0)
    anthropic = any(k in tokens for k in ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"))
    read = _anthropic if anthropic else _whole_prompt
    made = _number(tokens, "completion_tokens", "output_tokens", "candidatesTokenCount", "output")
    thought = _number(tokens, "thoughtsTokenCount") or zero
    if made is None:
        raise InputError("no output tokens (completion_tokens, output_tokens)")
    prompt, hit, writes, written = read(tokens)
    return Usage(prompt, made + thought, hit, **writes), written


def _anthropic(tokens: Record) -> tuple[Decimal, Decimal, dict[str, Decimal], Decimal]:
    """input_tokens leaves out what was cached; writes may be told apart by their time."""
    zero = Decimal(0)
    prompt = _number(tokens, "input_tokens") or zero
    total = _number(tokens, "cache_creation_input_tokens") or zero
    split = _inside(tokens, "cache_creation")
    five, hour = (
        _number(split, f"ephemeral_{t}_input_tokens") or _number(tokens, f"ephemeral_{t}_input_tokens") or zero
        for t in ("5m", "1h")
    )
    if total and five + hour > total:
        raise InputError(f"cache_creation_input_tokens is {total}, but its parts are {five} and {hour}")
    hit = _number(tokens, "cache_read_input_tokens") or zero
    if "input_tokens" not in tokens:  # gateways rename it, and count all of the prompt
        prompt = (_number(tokens, "prompt_tokens") or zero) - hit - max(total, five + hour)
        if prompt < 0:
            raise InputError(
                f"{hit + max(total, five + hour)} cached tokens of a prompt of {tokens.get('prompt_tokens')}"
            )
    return prompt, hit, {"cache_write_5m": five, "cache_write_1h": hour}, max(total - five - hour, zero)


def _whole_prompt(tokens: Record) -> tuple[Decimal, Decimal, dict[str, Decimal], Decimal]:
    """The prompt's count has all of it; what was read from the cache or written to it is part of it."""
    zero = Decimal(0)
    prompt = _number(tokens, "prompt_tokens", "input_tokens", "promptTokenCount", "prompt", "input")
    if prompt is None:
        raise InputError("no prompt tokens (prompt_tokens, input_tokens)")
    details = {**_inside(tokens, "input_tokens_details"), **_inside(tokens, "prompt_tokens_details")}
    hit = _number(details, "cached_tokens") or _number(
        tokens, "cached_tokens", "cached", "cache_read_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount"
    )
    written = _number(details, "cache_write_tokens", "cache_creation_tokens") or _number(
        tokens, "cache_write_tokens", "cache_write"
    )
    hit, written = hit or zero, written or zero
    tools = _number(tokens, "toolUsePromptTokenCount") or zero
    if hit + written > prompt:
        raise InputError(f"{hit + written} cached tokens of a prompt of {prompt}")
    return prompt - hit - written + tools, hit, {}, written


def _tier(inner: Record, tokens: Record, outer: Record) -> str:
    """The tier that served: the answer's own word for it, not the request's."""
    if str(tokens.get("speed") or inner.get("speed") or "").lower() == "fast":
        return "fast"
    said = str(_find((tokens, inner), ("service_tier", "tier", "serviceTier")) or "").strip().lower()
    if inner is not outer and "custom_id" in outer:
        return "batch"  # lines of batch files say so nowhere else
    if said not in TIERS:
        raise InputError(f"service_tier is {quoted(said)}; known: {', '.join(k for k in TIERS if k)}")
    return TIERS[said] or STANDARD


def _when(value: Any) -> datetime.datetime | None:
    """A time in seconds or milliseconds since 1970, or as ISO 8601; UTC where no zone is said."""
    if value is None or isinstance(value, bool):
        return None
    try:
        found = _read(value)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or found.year not in _YEARS:
        said = str(value) if isinstance(value, Decimal) else quoted(value)
        raise InputError(f"time is {said}; it reads like 2026-11-01T12:00:00Z, or seconds since 1970")
    return found.astimezone(datetime.UTC) if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _read(value: Any) -> datetime.datetime:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = None
    if number is not None:
        return datetime.datetime.fromtimestamp(number / (1000 if number > 1e11 else 1), datetime.UTC)
    return datetime.datetime.fromisoformat(str(value))
