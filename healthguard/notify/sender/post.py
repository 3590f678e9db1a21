"""One HTTP POST by the standard library: for signed webhooks, and where Apprise cannot close."""

import hashlib
import hmac
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from healthguard import __version__
from healthguard.notify.spec import Message, Sent

TIMEOUT_S = 10


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signed message goes where it was meant to go, or nowhere."""

    def redirect_request(self, *_: object) -> None:
        """Never."""


def post(url: str, body: bytes, headers: Mapping[str, str], ca_file: str | None = None) -> str:
    """Send it; "" when it was taken (2xx), else why not, without any part of URL or answer."""
    headers = {"User-Agent": f"healthguard/{__version__}", **headers}
    headers.setdefault("Content-Type", "application/json")
    if not url.startswith(("https://", "http://")):
        return "its URL must begin with https:// or http://"
    try:
        request = urllib.request.Request(url, body, dict(headers), method="POST")
        context = ssl.create_default_context(cafile=ca_file)
        secure = urllib.request.HTTPSHandler(context=context)
        opener = urllib.request.build_opener(secure, _NoRedirect)
        with opener.open(request, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _short(error)


def _short(error: BaseException) -> str:
    """The kind of trouble: texts of exceptions may hold the URL."""
    cause = getattr(error, "reason", error)
    cause = cause if isinstance(cause, BaseException) else error
    if isinstance(cause, TimeoutError):
        return "timed out"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(cause, OSError) and cause.strerror and not cause.filename:
        return cause.strerror
    return type(cause).__name__


def payload(message: Message) -> bytes:
    """What a webhook gets. The names are part of the contract: see docs/notifications.md."""
    told = {
        "id": message.id,
        "key": message.key,
        "level": message.level,
        "severity": message.severity,
        "resolves": message.resolves,
        "title": message.title,
        "text": message.body,
        **message.details,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over ``TIMESTAMP.BODY``, in hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed(url: str, secret: str, message: Message, ca_file: str | None) -> Sent:
    """Send ``message`` to a webhook, dated and signed now, so that a replay is seen as one."""
    body, now = payload(message), str(int(time.time()))
    headers = {
        "X-Healthguard-Id": message.id,
        "X-Healthguard-Timestamp": now,
        "X-Healthguard-Signature": f"sha256={signature(secret, now, body)}",
    }
    problem = post(url, body, headers, ca_file)
    return Sent(message.id, not problem, problem)


def close_opsgenie(url: str, api_key: str, message: Message) -> Sent:
    """Apprise closes only alerts whose ids its own process remembers; the alias is enough."""
    body = json.dumps({"source": "healthguard", "note": message.body[:15_000]}).encode()
    problem = post(url, body, {"Authorization": f"GenieKey {api_key}"})
    return Sent(message.id, not problem, problem)
