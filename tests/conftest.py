"""What the tests across packages share: the module of a user."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import SHOP


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of a user, importable here as it is in the worker's process."""
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("shop", None)
    import shop

    return shop
