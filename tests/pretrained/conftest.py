"""What the comparisons with transformers share."""

import pytest

REASON = "a comparison with transformers needs pip install -r requirements-peers.txt"


@pytest.fixture(scope="session")
def torch():
    # Imported here and not above: it takes seconds, which a session that runs other tests need not pay.
    pytest.importorskip("transformers", reason=REASON)
    return pytest.importorskip("torch", reason=REASON)
