"""The checks of what a server needs to be reached: its port, WebRTC's packages, and UDP."""

import errno
import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from microturn.doctor.finding import Finding, Verdict

_HEALTH_WITHIN_S = 3.0
_DATAGRAM_WITHIN_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """What a server can do more with the packages of an extra."""

    name: str
    packages: tuple[str, ...]
    purpose: str


SERVE_EXTRAS = (
    Extra(name="WebRTC", packages=("aiortc",), purpose="the page's sound and pictures go over a WebSocket"),
    Extra(name="certificates", packages=("cryptography",), purpose="no --self-signed"),
    Extra(name="figures", packages=("prometheus_client", "opentelemetry.sdk"), purpose="no /metrics, no traces"),
)


def check_port(host: str, port: int) -> Iterator[Finding]:
    """Whether the server could listen, or does already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            yield Finding(subject="port", verdict=Verdict.GOOD, text=f"{host}:{port} is free")
        return
    except OSError as error:
        reason = error.strerror or str(error)
        is_taken = error.errno == errno.EADDRINUSE
    running = _running_model(host, port) if is_taken else None
    if running is not None:
        yield Finding(subject="port", verdict=Verdict.GOOD, text=f"microturn serves {running}")
        return
    remedy = "stop what uses it, or choose another --port" if is_taken else "give another --host or --port"
    yield Finding(subject="port", verdict=Verdict.BAD, text=f"{host}:{port}: {reason}", remedy=remedy)


def check_extras(extras: Sequence[Extra] = SERVE_EXTRAS) -> Iterator[Finding]:
    """Whether what `serve` offers beyond WebSockets is installed."""
    for extra in extras:
        missing = [package for package in extra.packages if not _is_installed(package)]
        yield Finding(
            subject=extra.name,
            verdict=Verdict.NOTE if missing else Verdict.GOOD,
            text=f"{', '.join(missing)} not installed: {extra.purpose}" if missing else "installed",
            remedy="pip install 'microturn[serve]'" if missing else "",
        )


def check_udp(host: str = "127.0.0.1") -> Iterator[Finding]:
    """Whether a datagram reaches this machine from itself: WebRTC's sound and pictures are datagrams."""
    problem = _udp_problem(host)
    yield Finding(
        subject="UDP",
        verdict=Verdict.NOTE if problem else Verdict.GOOD,
        text=f"{host}: {problem}" if problem else f"datagrams arrive on {host}",
        remedy="WebRTC needs UDP: look at the firewall or the sandbox; the page goes on over its WebSocket"
        if problem
        else "",
    )


def _udp_problem(host: str) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sent = b"microturn doctor"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as ear, socket.socket(family, socket.SOCK_DGRAM) as mouth:
            ear.settimeout(_DATAGRAM_WITHIN_S)
            ear.bind((host, 0))
            mouth.sendto(sent, ear.getsockname())
            return None if ear.recv(len(sent)) == sent else "something else arrived"
    except TimeoutError:
        return "a datagram was sent and did not arrive"
    except OSError as error:
        return error.strerror or str(error)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # The package around it is missing.
        return False


def _running_model(host: str, port: int) -> str | None:
    """The model and the address of the microturn server that listens there; None if something else does."""
    name = f"[{host}]" if ":" in host else host
    # Asked for its health alone, without a key: a certificate that nobody vouches for is as good as any.
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    for scheme in ("http", "https"):
        url = f"{scheme}://{name}:{port}"
        context = anyone if scheme == "https" else None
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=_HEALTH_WITHIN_S, context=context) as response:
                return f"{json.load(response)['model']} on {url}"
        except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError, KeyError, TypeError):
            continue
    return None
