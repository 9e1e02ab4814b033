"""A small model that its package ships: WordLlama, 256 numbers a text, 16 MB, no download."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


@cache
def model() -> Any:
    """Load the model, once a process."""
    # By name, since it has no types.
    wordllama: Any = import_module("wordllama")
    # The weights and the tokenizer lie in the package, so nothing is fetched.
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(dim=256, cache_dir=folder, disable_download=True)


def embed(text: str) -> list[float]:
    """Return the embedding of a text, of length 1."""
    values: list[float] = model().embed([text], norm=True)[0].tolist()
    return values
