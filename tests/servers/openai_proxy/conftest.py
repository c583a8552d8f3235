"""The certificate authority that signs the upstream's certificate, in tests over TLS."""

from pathlib import Path

import pytest

from ...clients.streams.tls_peers import CA


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)
