"""A flow: its input, its slug, its options."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from pgflow_dsl import DefinitionError, Flow, InputInvalid, PgflowError, UnknownStep
from pydantic import BaseModel, Field

AnyFlow: Any = Flow


class Address(BaseModel):
    street: str


class Customer(BaseModel):
    name: str = Field(min_length=1)
    address: Address


@dataclass
class Order:
    number: int


CUSTOMERS = Flow("customers", input=Customer)


def test_input_is_dumped_as_json() -> None:
    customer = Customer(name="Ada", address=Address(street="Mill Lane"))
    assert CUSTOMERS.dump_input(customer) == '{"name":"Ada","address":{"street":"Mill Lane"}}'


def test_input_of_the_wrong_type_names_the_field_and_the_reason() -> None:
    wrong: Any = {"name": "Ada", "address": {"street": 5}}
    with pytest.raises(InputInvalid) as raised:
        CUSTOMERS.dump_input(wrong)
    assert raised.value.flow_slug == "customers"
    assert raised.value.step_slug is None
    assert raised.value.problems == (("address.street", "Input should be a valid string (got 5)"),)
    assert str(raised.value) == (
        "input of flow 'customers' is invalid: "
        "address.street: Input should be a valid string (got 5)"
    )
    assert isinstance(raised.value, PgflowError)


def test_a_missing_field_is_named() -> None:
    wrong: Any = {"name": "Ada"}
    with pytest.raises(InputInvalid, match=r"address: Field required$"):
        CUSTOMERS.dump_input(wrong)


def test_a_field_changed_after_its_model_was_made_is_checked() -> None:
    customer = Customer(name="Ada", address=Address(street="Mill Lane"))
    customer.name = ""
    with pytest.raises(InputInvalid, match="name: String should have at least 1 character"):
        CUSTOMERS.dump_input(customer)


def test_a_field_of_a_dataclass_is_checked_though_dataclasses_check_nothing() -> None:
    flow = Flow("orders", input=Order)
    assert flow.dump_input(Order(5)) == '{"number":5}'
    wrong: Any = "five"
    with pytest.raises(InputInvalid, match="number: Input should be a valid integer"):
        flow.dump_input(Order(wrong))


def test_a_dict_is_taken_for_a_model() -> None:
    like_a_customer: Any = {"name": "Ada", "address": {"street": "Mill Lane"}}
    assert CUSTOMERS.load_input(CUSTOMERS.dump_input(like_a_customer)).name == "Ada"


def test_text_is_taken_for_a_date() -> None:
    flow = Flow("days", input=date)
    like_a_date: Any = "2024-02-29"
    assert flow.dump_input(like_a_date) == '"2024-02-29"'


def test_long_values_are_shortened() -> None:
    flow = Flow("numbers", input=int)
    long: Any = "x" * 100_000
    with pytest.raises(InputInvalid) as raised:
        flow.dump_input(long)
    assert len(str(raised.value)) < 300
    assert "…" in str(raised.value)


def test_many_problems_are_counted_not_listed() -> None:
    flow = Flow("numbers", input=list[int])
    wrong: Any = ["x"] * 1000
    with pytest.raises(InputInvalid) as raised:
        flow.dump_input(wrong)
    assert raised.value.problems[0][0] == "[0]"
    assert raised.value.problems[-1] == ("", "and 995 more")


def test_input_from_text_that_is_not_json_says_so() -> None:
    with pytest.raises(InputInvalid, match="Invalid JSON"):
        CUSTOMERS.load_input("{name: Ada}")


def test_input_from_text_names_the_field() -> None:
    with pytest.raises(InputInvalid, match=r"address\.street: Input should be a valid string"):
        CUSTOMERS.load_input('{"name": "Ada", "address": {"street": null}}')


def test_a_flow_without_input_takes_none() -> None:
    flow = Flow("nightly")
    assert flow.dump_input(None) == "null"
    assert flow.load_input("null") is None
    wrong: Any = 5
    with pytest.raises(InputInvalid):
        flow.dump_input(wrong)


def test_falsy_inputs_are_inputs() -> None:
    assert Flow("zero", input=int).dump_input(0) == "0"
    assert Flow("empty", input=str).dump_input("") == '""'
    assert Flow("no", input=bool).dump_input(False) == "false"


@pytest.mark.parametrize(
    ("slug", "reason"),
    [
        ("", "must not be empty"),
        ("run", "is reserved"),
        ("1st", "must not start with a digit"),
        ("my-flow", "only ASCII letters, digits and underscores"),
        ("früh", "only ASCII letters, digits and underscores"),
        ("flow\n", "only ASCII letters, digits and underscores"),
        ("a" * 129, "has 129 characters, but at most 128"),
        (5, "must be text"),
    ],
)
def test_a_slug_that_breaks_a_rule_is_told_which(slug: object, reason: str) -> None:
    with pytest.raises(DefinitionError, match=reason):
        AnyFlow(slug)


def test_the_longest_slug_is_taken() -> None:
    assert Flow("a" * 128).slug == "a" * 128


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_attempts": 0}, "max_attempts must be 1 or more"),
        ({"max_attempts": True}, "max_attempts takes a whole number"),
        ({"max_attempts": 2.0}, "max_attempts takes a whole number"),
        ({"max_attempts": 2**31}, "max_attempts must be 1 or more and at most 2147483647"),
        ({"timeout": 60}, r"timeout takes a timedelta such as timedelta\(seconds=60\), not 60"),
        ({"timeout": timedelta(0)}, "timeout must be 0:00:01 or more"),
        ({"timeout": timedelta(milliseconds=1500)}, "timeout is kept in whole seconds"),
        ({"timeout": timedelta(days=99_999)}, "timeout must be at most"),
        ({"base_delay": timedelta(seconds=-1)}, "base_delay must be 0:00:00 or more"),
        ({"max_delay": timedelta(0)}, "max_delay must be 0:00:01 or more"),
        ({"jitter": 1.5}, "jitter must be from 0 to 1"),
        ({"jitter": float("nan")}, "jitter must be from 0 to 1"),
        ({"jitter": "half"}, "jitter takes a number from 0 to 1"),
    ],
)
def test_an_option_out_of_range_is_told(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(DefinitionError, match=f"flow 'f': {reason}"):
        AnyFlow("f", **options)


def test_a_step_is_found_by_its_slug() -> None:
    flow = Flow("f", input=int)

    @flow.step
    def double(n: int = flow.input) -> int:
        return 2 * n

    assert flow.get_step("double") is double
    with pytest.raises(UnknownStep, match="flow 'f' has no step 'triple'; its steps: double"):
        flow.get_step("triple")


def test_a_chart_names_steps_and_edges() -> None:
    flow = Flow("f", input=list[int])

    @flow.map(over=flow.input)
    def double(n: int) -> int:
        return 2 * n

    @flow.step
    def end(ns: list[int] = double.output) -> int:
        return sum(ns)

    @flow.step(after=[end])
    def tell() -> None: ...

    assert flow.to_mermaid().splitlines() == [
        "flowchart TD",
        '  s0[["double"]]',
        '  s1["end"]',
        '  s2["tell"]',
        "  s0 --> s1",
        "  s1 -.-> s2",
    ]
