"""Servers of our own, with a certificate."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.certificates import Certificates, make_certificates
from tests.support.imap_server import Behaviour, ImapServer, running
from tests.support.token_server import TokenServer, issuing


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    """For clients that trust that certificate."""
    return ssl.create_default_context(cafile=str(certificates.authority))


@pytest.fixture
def certified(certificates: Certificates) -> ssl.SSLContext:
    """For servers that have it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)
    return context


@pytest.fixture
def serve(certified: ssl.SSLContext) -> Iterator[Callable[[Behaviour], ImapServer]]:
    """Starts IMAP servers, until the end of the test."""
    with ExitStack() as stack:
        yield lambda behaviour: stack.enter_context(running(behaviour, certified))


@pytest.fixture
def issuer(certified: ssl.SSLContext) -> Iterator[TokenServer]:
    """A server that issues tokens."""
    with issuing(certified) as server:
        yield server
