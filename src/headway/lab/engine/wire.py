"""The OpenAI API's words: bodies of requests read, or refused in one line; answers and their pieces written."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.errors import InputError, quoted
from headway.lab.engine.core import Ask
from headway.lab.engine.settings import TIERS, Settings
from headway.lab.engine.text import TOKENS, chat_prompt, encoded

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
_USUAL = 16  # tokens of a completion where nobody says (OpenAI's default)
_STOPS = 4
# What this engine does not do, and the values that ask for nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,), "best_of": (1,), "top_p": (1,), "top_k": (-1, 0), "min_p": (0,), "presence_penalty": (0,), "frequency_penalty": (0,),
    "repetition_penalty": (1,), "logprobs": (False,), "top_logprobs": (0,), "prompt_logprobs": (), "logit_bias": ({},), "echo": (False,),
    "suffix": ("",), "tools": ([],), "functions": ([],), "response_format": ({"type": "text"},), "min_tokens": (0,), "audio": (),
}  # fmt: skip
_SERVICE = {"auto": 1, "default": 1, "priority": 0, "flex": 2}


class RefusedError(InputError):
    """A body that cannot be answered; `param` names the field."""

    def __init__(
        self, said: str, param: str | None = None, status: int = 400, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(said)
        self.param, self.status, self.kind = param, status, kind


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as its body says it.

    Attributes
    ----------
    ask : Ask
    chat, stream, usage : bool
        Of a conversation; piece by piece; with a last piece that counts tokens.
    tier : str
        Whose line it stood in.
    """

    ask: Ask
    chat: bool
    stream: bool
    usage: bool
    tier: str


def error_body(
    said: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Return an error as the OpenAI API has it."""
    return {"error": {"message": said, "type": kind, "param": param, "code": code}}


def wanted(body: Any, chat: bool, model: str, settings: Settings, tier: int | None = None) -> Wanted:
    """Return what a body asks for.

    Parameters
    ----------
    body : any
        As JSON has it.
    chat : bool
        Of a conversation, not of a text.
    model : str
        That is served.
    settings : Settings
    tier : int or None
        Of a batch's line; None: as the body says. [1]

    Raises
    ------
    RefusedError
        For a body that is malformed, or asks for what this engine does not do.
    """
    if not isinstance(body, dict):
        raise RefusedError("the body must be a JSON object")
    told: Mapping[str, Any] = body
    if told.get("model") != model:
        raise RefusedError(f"model: {quoted(told.get('model'))} is not served here; {model!r} is", "model", 404)
    for name, neutral in _NEUTRAL.items():
        value = told.get(name)
        if value is not None and not any((type(value) is type(x) and value == x) or _equal(value, x) for x in neutral):
            raise RefusedError(f"{name}: {quoted(value)}: the lab engine does not do that; leave it out", name)
    prompt = encoded(_conversation(told)) if chat else _prompt(told)
    if not prompt:
        raise RefusedError("the prompt is empty", "messages" if chat else "prompt")
    options = told.get("stream_options")
    if options is not None and not (isinstance(options, dict) and told.get("stream")):
        raise RefusedError("stream_options: an object, beside stream: true", "stream_options")
    key = "max_completion_tokens" if chat and told.get("max_completion_tokens") is not None else "max_tokens"
    room = settings.limits.context - len(prompt)
    most = _integer(told, key, max(room, 1) if chat else min(_USUAL, max(room, 1)), 1, 1 << 30)
    if room < most:
        raise RefusedError(
            f"{len(prompt):,} tokens of prompt and {most:,} of answer are more than this model's {settings.limits.context:,}", key,
        )  # fmt: skip
    which = _tier(told) if tier is None else tier
    ask = Ask(
        tuple(prompt), most, _number(told, "temperature", 1.0, 0.0, 2.0), _integer(told, "seed", None, -(1 << 63), 1 << 63),
        _stops(told), not _flag(told, "ignore_eos"), which,
    )  # fmt: skip
    return Wanted(ask, chat, _flag(told, "stream"), bool((options or {}).get("include_usage")), TIERS[which])


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool) and a == b


def _number(body: Mapping[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RefusedError(f"{name}: {quoted(value)}; it must be a number in {low:g}..{high:g}", name)
    return float(value)


def _integer(body: Mapping[str, Any], name: str, usual: Any, low: int, high: int) -> Any:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        said = f"{name}: {quoted(value)}; it must be a whole number" + (f", at least {low}" if low > 0 else "")
        raise RefusedError(said, name)
    return value % (1 << 63) if name == "seed" else value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise RefusedError(f"{name}: {quoted(value)}; it must be true or false", name)


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("stop")
    found = [] if value is None else [value] if isinstance(value, str) else value
    if (
        not isinstance(found, list)
        or len(found) > _STOPS
        or not all(isinstance(s, str) and 0 < len(s) <= 200 for s in found)
    ):
        raise RefusedError(f"stop: a text, or up to {_STOPS}, none empty and none longer than 200 characters", "stop")
    return tuple(found)


def _tier(body: Mapping[str, Any]) -> int:
    named, number = body.get("service_tier"), body.get("priority")
    if named is not None and number is not None:
        raise RefusedError("service_tier and priority say the same: leave one out", "priority")
    if named is not None:
        if not isinstance(named, str) or named not in _SERVICE:
            raise RefusedError(f"service_tier: {quoted(named)}; there are {', '.join(_SERVICE)}", "service_tier")
        return _SERVICE[named]
    return _integer({"priority": number}, "priority", 1, 0, len(TIERS) - 1)


def _prompt(body: Mapping[str, Any]) -> list[int]:
    value = body.get("prompt")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, str):
        return encoded(value)
    if isinstance(value, list) and all(
        isinstance(t, int) and not isinstance(t, bool) and 0 <= t < TOKENS for t in value
    ):
        return list(value)
    raise RefusedError(f"prompt: one text, or one list of tokens (bytes, 0 to {TOKENS - 1})", "prompt")


def _conversation(body: Mapping[str, Any]) -> str:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RefusedError("messages: a list of at least one {role, content}", "messages")
    found: list[tuple[str, str]] = []
    for i, m in enumerate(messages):
        role = m.get("role") if isinstance(m, dict) else None
        content = m.get("content") if isinstance(m, dict) else None
        parts: list[Any] = content if isinstance(content, list) else []
        if parts and all(
            isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in parts
        ):
            content = "".join(p["text"] for p in parts)
        if role not in ("system", "developer", "user", "assistant", "tool") or not isinstance(content, str):
            raise RefusedError(
                f"messages[{i}]: a role (system, user, assistant) and a content of text", f"messages[{i}]"
            )
        found.append((role, content))
    return chat_prompt(found)


@dataclass(slots=True)
class Answer:
    """One answer as the API writes it.

    Attributes
    ----------
    number : str
    model : str
    wanted : Wanted
    created : int
        [s]
    """

    number: str
    model: str
    wanted: Wanted
    created: int

    @classmethod
    def begun(cls, number: str, model: str, asked: Wanted) -> Answer:
        """Return one that begins now."""
        return cls(("chatcmpl-" if asked.chat else "cmpl-") + number, model, asked, int(time.time()))

    def usage(self, made: int, cached: int) -> dict[str, Any]:
        """Return what is counted of it.

        Parameters
        ----------
        made, cached : int
            Tokens of the answer; of the prompt that were found. [tokens]
        """
        prompt = len(self.wanted.ask.prompt)
        return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made,
                "prompt_tokens_details": {"cached_tokens": cached}}  # fmt: skip

    def _head(self, kind: str) -> dict[str, Any]:
        tier = "default" if self.wanted.tier == "batch" else self.wanted.tier
        return {"id": self.number, "object": kind, "created": self.created, "model": self.model, "service_tier": tier}

    def whole(self, text: str, why: str, made: int, cached: int) -> dict[str, Any]:
        """Return it in one piece.

        Parameters
        ----------
        text, why : str
            All of it; why it ended.
        made, cached : int
            As of `usage`. [tokens]
        """
        one: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": why}
        one |= {"message": {"role": "assistant", "content": text}} if self.wanted.chat else {"text": text}
        kind = "chat.completion" if self.wanted.chat else "text_completion"
        return {**self._head(kind), "choices": [one], "usage": self.usage(made, cached)}

    def piece(self, text: str, why: str, first: bool = False) -> bytes:
        """Return a piece of it as an event."""
        one: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": why or None}
        if self.wanted.chat:
            delta: dict[str, Any] = {"role": "assistant", "content": ""} if first else {"content": text} if text else {}
            one["delta"] = delta
        else:
            one["text"] = text
        body: dict[str, Any] = {
            **self._head("chat.completion.chunk" if self.wanted.chat else "text_completion"),
            "choices": [one],
        }
        return event(body | ({"usage": None} if self.wanted.usage else {}))

    def counted(self, made: int, cached: int) -> bytes:
        """Return the last event, which counts tokens.

        Parameters
        ----------
        made, cached : int
            As of `usage`. [tokens]
        """
        kind = "chat.completion.chunk" if self.wanted.chat else "text_completion"
        return event({**self._head(kind), "choices": [], "usage": self.usage(made, cached)})


def event(body: Any) -> bytes:
    """Return a server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
