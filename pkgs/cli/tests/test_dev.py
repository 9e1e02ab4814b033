"""`pgflow dev`: what it says before it begins."""

import importlib.util

import pytest
from pgflow_cli.commands.dev import dev
from pgflow_worker import ExtraMissing


@pytest.mark.parametrize("missing", ["watchfiles", "starlette", "uvicorn"])
def test_dev_names_all_that_it_needs_whichever_part_is_missing(
    missing: str, monkeypatch: pytest.MonkeyPatch
):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(ExtraMissing, match=r"^pgflow dev needs .*'pgflow-cli\[reload,ui\]'$"):
        dev.main(["flows"], standalone_mode=False)
