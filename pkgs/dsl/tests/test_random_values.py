"""Values that nobody thought of come through JSON as they were, or are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgflow_dsl import HandlerOutputInvalid

from pkgs.dsl.tests.values import Order, chain

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
ANYTHING = chain(Any)
TEXT = chain(str)
BYTES = chain(bytes)
ORDERS = chain(list[Order])


@given(JSON_VALUES)
def test_any_json_comes_back_as_it_was(value: Any) -> None:
    giver, taker = ANYTHING
    text = giver.dump_output(value)
    context: Any = None
    assert giver.load_output(text) == value
    assert taker.bind(f'{{"give": {text}}}', None, None, context) == ([], {"value": value})


@given(st.text())
def test_text_is_either_stored_exactly_or_refused(value: str) -> None:
    giver, _ = TEXT
    is_storable = "\x00" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
    if is_storable:
        assert giver.load_output(giver.dump_output(value)) == value
    else:
        with pytest.raises(HandlerOutputInvalid):
            giver.dump_output(value)


@given(st.binary())
def test_any_bytes_come_back_as_they_were(value: bytes) -> None:
    giver, _ = BYTES
    assert giver.load_output(giver.dump_output(value)) == value


@given(
    st.lists(
        st.builds(
            Order,
            st.integers(),
            st.dictionaries(st.uuids(), st.decimals(allow_nan=False, allow_infinity=False)),
            st.binary(),
        ),
        max_size=3,
    )
)
def test_any_dataclasses_come_back_as_they_were(value: list[Order]) -> None:
    giver, _ = ORDERS
    assert giver.load_output(giver.dump_output(value)) == value
