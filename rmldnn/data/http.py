"""Asking a server, which may stumble, for a file."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.parse import urlsplit

from rmldnn.errors import DataError

SCHEMES = ("http://", "https://")

_ATTEMPTS = 5
_PAUSE = 0.2
"""Seconds before the second attempt; every further one waits twice as long."""
_TIMEOUT = 60
_BUSY = 429


class AnswerError(Exception):
    """An answer that is not what it should be; it is worth another attempt."""


def ask(
    url: str,
    take: Callable[[HTTPResponse], None],
    headers: Callable[[], Mapping[str, str]] = dict,
    *,
    accept: Collection[int] = (),
) -> int:
    """Asks for a file, several times if need be.

    Args:
        url: Where it is.
        take: Gets the answer and keeps it; raises `AnswerError` if it is not what it should be.
        headers: Further headers of each attempt.
        accept: Codes of failures that the caller knows what to do with.

    Returns:
        The code of the answer: 200 or 206, or one of `accept`.

    Raises:
        DataError: The server does not have the file, does not answer, or gives nothing that `take` is content with.
        OSError: `take` cannot keep it.
    """
    fault = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * 2 ** (attempt - 1))
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "rmldnn", **headers()})  # noqa: S310 - http only
            with _OPENER.open(request, timeout=_TIMEOUT) as answer:
                take(answer)
                return int(answer.status)
        except AnswerError as error:
            fault = str(error)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in accept:
                return error.code
            fault = f"the server answers {error.code} ({error.reason})"
            if error.code < 500 and error.code != _BUSY:
                break
        except urllib.error.URLError as error:
            fault = f"the server cannot be reached ({getattr(error.reason, 'strerror', None) or error.reason})"
        except (HTTPException, TimeoutError, ConnectionError) as error:
            fault = f"the connection broke ({type(error).__name__})"
    raise DataError(f"{shown(url)}: cannot fetch this file: {fault}; check the address, or try again later")


def shown(url: str) -> str:
    """A URL for messages: without a password, or the key of a signed address."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows a server to other servers, but not to files or other schemes."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request for the other address."""
        if not newurl.lower().startswith(SCHEMES):
            raise urllib.error.URLError("it leads to an address that is not http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_HttpOnly)
