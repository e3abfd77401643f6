"""An OpenAI-compatible endpoint over HTTP: streams asked for, with the time of every piece; every fault is one clear line."""

from __future__ import annotations

import asyncio
import json
import os
import time
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urlunsplit

from headway.errors import InputError, quoted, shortened, visible
from headway.measure.addresses import address, unvouched
from headway.measure.streams import Collected, Piece, Stream, streamed

KEYS = ("HEADWAY_API_KEY", "OPENAI_API_KEY")  # variables that may hold a key: there and nowhere else
_OPTIONAL = ("stream_options", "ignore_eos", "temperature")  # of a request; left out where a server refuses them
_AT_HOME = ("localhost", "127.0.0.1", "::1")
_LONGEST_WAIT = 30.0  # seconds: a server that asks for more patience is not waited for
_STALE = ("RemoteProtocolError", "ReadError", "WriteError")
_TRIES = 3  # of a request that is turned away


class EndpointError(InputError):
    """An endpoint did not answer, or not as it should; `status` is that of a refusal, 0 without one."""

    def __init__(self, said: str, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class Endpoint:
    """A server that speaks the OpenAI API.

    Parameters
    ----------
    url : str
        With or without ``/v1``.
    patience : float
        Longest silence in a stream. [s]
    insecure : bool
        Take a certificate that nobody vouches for.
    chat : bool
        Ask ``chat/completions`` from the start; else only where there are no ``completions``.

    Raises
    ------
    InputError
        When it is no address, or httpx is not installed.
    """

    def __init__(self, url: str, *, patience: float = 30.0, insecure: bool = False, chat: bool = False) -> None:
        try:
            import httpx
        except ImportError:
            raise InputError("headway measure asks servers with httpx: pip install 'headway[measure]'") from None
        parts = _parts(url)
        self.base = urlunsplit(parts)
        host = parts.netloc.rpartition("@")[2]
        self.shown = urlunsplit(parts._replace(netloc=host))
        self.local, self.port = parts.hostname in _AT_HOME, parts.port or (443 if parts.scheme == "https" else 80)
        self.patience, self.chat, self.served = patience, chat, ""
        self.left_out: dict[str, str] = {}  # what this server refuses, and with which words
        self.waits: list[float] = []  # that it asked for (429, 503)
        key = next((os.environ[k] for k in KEYS if os.environ.get(k)), "")
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0 if self.local else None)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(patience, pool=None), verify=not insecure, limits=limits, trust_env=not self.local,
            headers={"authorization": f"Bearer {key}"} if key else {},
        )  # fmt: skip
        self._failures: tuple[type[BaseException], ...] = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def models(self) -> list[str]:
        """Return the names of what is served; none where the server does not say.

        Raises
        ------
        EndpointError
            When nobody answers, or wants a key.
        """
        try:
            answer = await self._client.get(f"{self.base}/models")
        except self._failures as error:
            raise self._failed(error) from None
        if answer.status_code in (401, 403):
            raise EndpointError(self._refusal(answer.status_code, answer.content), answer.status_code)
        try:
            return [str(m["id"]) for m in answer.json()["data"]] if answer.status_code == 200 else []
        except (ValueError, KeyError, TypeError):
            return []

    async def choose(self, name: str) -> None:
        """Take the model to ask for: as named, or the only one.

        Parameters
        ----------
        name : str
            "" where there is one.

        Raises
        ------
        EndpointError
            When it is not served, or several are.
        """
        there = await self.models()
        if name and there and name not in there:
            raise EndpointError(f"{self.shown}: serves no model {quoted(name)}; it serves {', '.join(there[:8])}")
        if not name and len(there) != 1:
            several = f"serves {', '.join(there[:8])}" if there else "does not say what it serves"
            raise EndpointError(f"{self.shown}: {several}; --served names one")
        self.served = name or there[0]

    async def ask(self, prompt: str, most: int) -> Stream:
        """Ask for an answer, and return its stream once it has ended.

        Parameters
        ----------
        prompt : str
        most : int
            Tokens that it shall have. [tokens]

        Raises
        ------
        EndpointError
            When it is refused, breaks off or falls silent.
        """
        for tried in range(_TRIES + len(_OPTIONAL) + 1):
            stream = Collected(self.chat, most)
            try:
                again = await self._once(prompt, most, stream.pieces, tried)
            except self._failures as error:
                if not stream.pieces and not tried and type(error).__name__ in _STALE:
                    continue  # a connection that the server had closed meanwhile
                raise self._failed(error) from None
            if not again:
                found = streamed(stream)
                if found.fault:
                    raise EndpointError(f"{self.shown}: a stream broke off: {_line(found.fault)}")
                return found
        raise EndpointError(f"{self.shown}: turns requests away again and again (429 or 503)")

    def body(self, prompt: str, most: int) -> dict[str, Any]:
        """Return what is sent.

        Parameters
        ----------
        prompt : str
        most : int
            [tokens]
        """
        text: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        options: dict[str, Any] = {
            "stream_options": {"include_usage": True}, "ignore_eos": True, "temperature": 0.0,
        }  # fmt: skip
        kept = {k: v for k, v in options.items() if k not in self.left_out}
        return {"model": self.served, **text, "max_tokens": most, "stream": True, **kept}

    async def _once(self, prompt: str, most: int, pieces: list[Piece], tried: int) -> bool:
        """Send a request and note every piece; True where it shall be sent again."""
        where = f"{self.base}/chat/completions" if self.chat else f"{self.base}/completions"
        begun = time.perf_counter()
        async with self._client.stream("POST", where, json=self.body(prompt, most)) as answer:
            if answer.status_code == 200:
                pieces.append(Piece(begun, b""))
                async for data in answer.aiter_bytes():
                    pieces.append(Piece(time.perf_counter(), data))
                return False
            said = await answer.aread()
            return await self._second_thoughts(answer.status_code, said, answer.headers.get("retry-after"), tried)

    async def _second_thoughts(self, status: int, said: bytes, wait: str | None, tried: int) -> bool:
        """What a refusal lets us do: wait, leave an option out, ask the other way; else it is an error."""
        if status in (404, 405) and not self.chat and b"model" not in said.lower():
            self.chat = True
            return True
        if status in (400, 422):
            named = next((k for k in _OPTIONAL if k not in self.left_out and k.encode() in said), None)
            if named:
                self.left_out[named] = _line(_message(said))
                return True
        if status in (429, 503) and len(self.waits) < 100 and tried < _TRIES:
            pause = _seconds(wait)
            if pause <= _LONGEST_WAIT:
                self.waits.append(pause)
                await asyncio.sleep(pause)
                return True
            raise EndpointError(f"{self.shown}: answers {status} and wants {pause:,.0f} s of patience; it is too busy")
        raise EndpointError(self._refusal(status, said), status)

    def _refusal(self, status: int, said: bytes) -> str:
        hint = ""
        if status in (401, 403):
            hint = f"; a key is read from {' or '.join(KEYS)} in the environment"
        return f"{self.shown}: answers {status}: {_line(_message(said))}{hint}"

    def _failed(self, error: BaseException) -> EndpointError:
        said, kind = " ".join(str(error).split()), type(error).__name__
        if unsure := unvouched(said):
            why = unsure
        elif "Timeout" in kind:
            why = f"a stream fell silent for {self.patience:g} s (--patience)"
            why = f"nobody answers within {self.patience:g} s (--patience)" if kind == "ConnectTimeout" else why
        elif "All connection attempts failed" in said or "refused" in said:
            why = "nobody listens there (connection refused)"
        elif kind in ("RemoteProtocolError", "ReadError"):
            why = "the connection broke off in the middle of an answer"
        else:
            why = _line(said) or kind
        return EndpointError(f"{self.shown}: {why}")


def _parts(url: str) -> SplitResult:
    parts = address(url, "http://127.0.0.1:8000/v1")
    path = parts.path.rstrip("/")
    for end in ("/chat/completions", "/completions"):
        path = path.removesuffix(end)
    return parts._replace(path=path or "/v1", query="", fragment="")


def _message(said: bytes) -> str:
    """What a refusal's body says."""
    try:
        body: Any = json.loads(said)
        found = body.get("error", body.get("detail", body.get("message", body)))
        return str(found.get("message", found) if isinstance(found, dict) else found)
    except (ValueError, AttributeError):
        return said[:400].decode("utf-8", errors="replace")


def _line(text: str) -> str:
    """A text of a server as part of a line; a key that it repeats is not."""
    for name in KEYS:
        if os.environ.get(name):
            text = text.replace(os.environ[name], "...")
    return shortened(visible(" ".join(text.split())[:300])) or "nothing"


def _seconds(wait: str | None) -> float:
    try:
        return max(float(wait or 1.0), 0.0)
    except ValueError:  # a date
        return 1.0
