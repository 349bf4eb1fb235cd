"""The client that a model server is asked with: JSON, its headers and its key, on the guarded transport.

A call is a POST of JSON and nothing more. openai's client library, which it went through before, took as much time
again: what that adds (retries, streams, types) is done here otherwise or not at all.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.inference import addresses, outbound
from app.inference.generator import Unusable
from app.inference.outbound import Received

MAX_BYTES = 4 << 20  # of one answer, all of it
TOTAL_SECONDS = 120.0  # of one call, from when an answer can be expected
ATTEMPTS = 5
WAIT_LIMIT = 600.0  # seconds we wait at a server's word; one that asks for more is come back to later, by a person
PATIENCE = 300.0  # seconds a server may be away (loading, starting, overloaded) before the run ends


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a server is asked, and how long it is waited for; times in seconds.

    concurrency: requests at once. total_seconds, max_bytes: of one call. attempts: of a row that fails by itself.
    wait_limit: the longest pause of a row. first_wait: the shortest, and the traffic's first step back. patience: how
    long the server may be away for everybody; 0 waits for nobody.
    """

    concurrency: int = 8
    total_seconds: float = TOTAL_SECONDS
    max_bytes: int = MAX_BYTES
    attempts: int = ATTEMPTS
    wait_limit: float = WAIT_LIMIT
    first_wait: float = 0.5
    patience: float = PATIENCE


USUAL = Limits()
ENCODED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ServerClient:
    """One server at one address. Safe to use from several threads.

    stopping: asked by calls under way whether they should end. ca_file: certificates (PEM) beside the usual ones.
    """

    def __init__(
        self,
        address: addresses.Address,
        key: str,
        policy: addresses.Policy,
        limits: Limits,
        stopping: Callable[[], bool],
        *,
        ca_file: str,
        resolver: addresses.Resolver,
    ) -> None:
        try:
            context = outbound.trust(ca_file)
        except OSError as error:
            raise Unusable(
                f"The file in TUNEGATE_CA_FILE cannot be used: {error.strerror or 'it holds no certificate'}. "
                "The operator has to name a readable file with certificates in PEM form."
            ) from error
        self.transport = outbound.Transport(
            address,
            policy,
            total_seconds=limits.total_seconds,
            max_bytes=limits.max_bytes,
            stopping=stopping,
            resolver=resolver,
            context=context,
        )
        self._query = f"?api-version={address.version}" if address.version else ""
        self._headers = [("Accept", "application/json"), ("User-Agent", "tunegate")]
        if key:
            of_key = ("api-key", key) if address.classic_azure else ("Authorization", f"Bearer {key}")
            self._headers.append(of_key)

    def post(self, path: str, body: dict[str, Any]) -> Received:
        """Ask one question at a path behind the address; the answer whatever its status.

        Raises:
            Exception: there is no status at all; of which kind is read by `failures.failure_of`.
        """
        headers = [*self._headers, ("Content-Type", "application/json")]
        return self.transport.ask("POST", path + self._query, headers, ENCODED(body).encode())

    def listed(self) -> Received:
        """Ask which models the server has (`GET /models`); the answer whatever its status.

        Raises:
            Exception: as `post`.
        """
        return self.transport.ask("GET", "/models" + self._query, self._headers)

    def close(self) -> None:
        self.transport.close()
