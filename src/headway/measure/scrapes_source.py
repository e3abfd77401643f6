"""A server's ``/metrics`` over HTTP: what cannot be read is one clear line, and no secret is in it."""

from __future__ import annotations

import os
import time
from types import TracebackType
from urllib.parse import SplitResult, urlunsplit

from headway.errors import InputError
from headway.measure.addresses import address, unvouched
from headway.measure.scrapes import Scrape, scraped

TOKEN = "HEADWAY_METRICS_TOKEN"  # the variable that holds a bearer token, where metrics need one
_LONGEST = 5.0  # seconds for an answer
_LARGEST = 64_000_000  # bytes of an answer


class FailedScrapeError(InputError):
    """A scrape that could not be read; the next may be."""


class Source:
    """A server's metrics.

    Parameters
    ----------
    url : str
        Where they are; without a path (or with the API's, ``/v1``) ``/metrics`` is taken.
    insecure : bool
        Take a certificate that nobody vouches for.

    Raises
    ------
    InputError
        When it is no address, or httpx is not installed.
    """

    def __init__(self, url: str, *, insecure: bool = False) -> None:
        try:
            import httpx
        except ImportError:
            raise InputError("headway watch reads servers with httpx: pip install 'headway[measure]'") from None
        parts = _parts(url)
        self.url = urlunsplit(parts)
        host = parts.netloc.rpartition("@")[2]
        self.shown = urlunsplit(parts._replace(netloc=host, query=""))
        token = os.environ.get(TOKEN, "")
        self._client = httpx.Client(
            timeout=_LONGEST, verify=not insecure, follow_redirects=True, headers={"authorization": f"Bearer {token}"} if token else {},
        )  # fmt: skip
        self._failures: tuple[type[BaseException], ...] = (httpx.HTTPError, httpx.InvalidURL)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def scrape(self) -> list[Scrape]:
        """Read the metrics, a scrape for each model that they name.

        Raises
        ------
        FailedScrapeError
            When nobody answers, or not with metrics of an engine that is known.
        """
        try:
            with self._client.stream("GET", self.url) as answer:
                at = time.monotonic()
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise FailedScrapeError(
                            f"{self.shown}: more than {_LARGEST:,} bytes; is it the server's /metrics?"
                        )
        except self._failures as error:
            raise FailedScrapeError(f"{self.shown}: {_why(error)}") from None
        if answer.status_code != 200:
            raise FailedScrapeError(
                f"{self.shown}: answers {answer.status_code} {answer.reason_phrase}{_HINTS.get(answer.status_code, '')}"
            )
        try:
            return scraped(body.decode("utf-8", errors="replace"), at)
        except InputError as error:
            raise FailedScrapeError(f"{self.shown}: {error}") from None


_HINTS = {
    401: f"; {TOKEN} in the environment holds a token", 403: f"; {TOKEN} in the environment holds a token",
    404: "; TensorRT-LLM has them at /prometheus/metrics, Triton on its port 8002; SGLang needs --enable-metrics, llama.cpp --metrics",
    501: "; llama.cpp needs --metrics",
}  # fmt: skip


def _parts(url: str) -> SplitResult:
    parts = address(url, "http://127.0.0.1:8000/metrics")
    return parts._replace(path="/metrics") if parts.path.rstrip("/") in ("", "/v1") else parts


def _why(error: BaseException) -> str:
    """What went wrong, in a few words."""
    said = " ".join(str(error).split())
    if unsure := unvouched(said):
        return unsure
    if "timed out" in said or "Timeout" in type(error).__name__:
        return f"no answer within {_LONGEST:g} s"
    if "refused" in said:
        return "nobody listens there (connection refused)"
    return said[:200] or type(error).__name__


def answers(source: Source) -> tuple[list[Scrape], str]:
    """Return what a server says, or why it does not."""
    try:
        return source.scrape(), ""
    except FailedScrapeError as error:
        return [], str(error)
