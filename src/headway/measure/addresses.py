"""Addresses of servers as people type them, and why nobody answers there."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from headway.errors import InputError


def address(url: str, example: str) -> SplitResult:
    """Return the parts of a server's address; without a scheme it is http.

    Parameters
    ----------
    url : str
    example : str
        How such an address reads.

    Raises
    ------
    InputError
        When it is none.
    """
    text = url.strip() if "://" in url else f"http://{url.strip()}"
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good, parts = False, SplitResult("", "", "", "", "")
    if not good or not url.strip():
        raise InputError(f"URL: is no address of a server; it reads like {example}")
    return parts


def unvouched(said: str) -> str:
    """Return what is wrong where a certificate is; "" of other faults.

    Parameters
    ----------
    said : str
        What the client says.
    """
    return (
        "its certificate is vouched for by nobody; --insecure takes it all the same"
        if "CERTIFICATE" in said.upper()
        else ""
    )
