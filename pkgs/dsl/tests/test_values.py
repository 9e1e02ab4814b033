"""Values: which types survive the way through JSON, and which are refused and why."""

import enum
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID

import pytest
from pgflow_dsl import DefinitionError, HandlerOutputInvalid
from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    Json,
    RootModel,
    SecretStr,
    field_validator,
)
from typing_extensions import TypedDict

from pkgs.dsl.tests.values import Order, chain, through_json

T = TypeVar("T")


class Point(BaseModel):
    x: int
    y: float = 0.0


class Pixel(BaseModel):
    x: int
    colour: str = "red"


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    size: int


class Square(BaseModel):
    kind: Literal["square"] = "square"
    size: int


class Box(BaseModel, Generic[T]):
    content: T


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Blob(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    data: bytes


class Aliased(BaseModel):
    from_: str = Field(alias="from")


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def is_even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("must be even")
        return n


class Movie(TypedDict):
    title: str
    poster: NotRequired[bytes]


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Plain(enum.Enum):
    A = "a"
    B = 2


class Pair(NamedTuple):
    left: int
    right: str


NOON = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
ID = UUID("018f3b5c-7a3e-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (None, None),
        (bool, False),
        (int, -(10**30)),
        (float, 1e-300),
        (str, ""),
        (str, 'é"\\ \n \\u0000 NaN null 😀'),
        (bytes, bytes(range(256))),
        (Decimal, Decimal("1.10")),
        (date, date(2024, 2, 29)),
        (datetime, NOON),
        (datetime, NOON.replace(tzinfo=None)),
        (time, time(12, 30)),
        (timedelta, timedelta(days=-1, microseconds=1)),
        (UUID, ID),
        (Path, Path("a/b")),
        (HttpUrl, HttpUrl("https://a.example/")),
        (Colour, Colour.RED),
        (Level, Level.LOW),
        (Plain, Plain.B),
        (Literal["a", 1, None], 1),
        (Point, Point(x=1, y=2.5)),
        (Tree, Tree(name="a", children=[Tree(name="b")])),
        (Box[Point], Box[Point](content=Point(x=1))),
        (list[Box[date]], [Box[date](content=date(2024, 1, 1))]),
        (Blob, Blob(data=b"\xff\x00")),
        (Aliased, Aliased(**{"from": "a"})),
        (RootModel[list[int]], RootModel[list[int]]([1])),
        (Order, Order(1, {ID: Decimal("0.1")}, b"\xff")),
        (list[Order], [Order(1)]),
        (Movie, {"title": "t", "poster": b"\xff"}),
        (Movie, {"title": "t"}),
        (Pair, Pair(1, "a")),
        (list[int], [1, 2]),
        (tuple[int, str], (1, "a")),
        (tuple[int, ...], (1, 2, 3)),
        (set[int], {1, 2}),
        (frozenset[date], frozenset([date(2024, 1, 1)])),
        (deque[int], deque([1, 2])),
        (Sequence[int], [1, 2]),
        (Mapping[str, Point], {"a": Point(x=1)}),
        (dict[int, str], {1: "a"}),
        (dict[date, bytes], {date(2024, 1, 1): b"\xff"}),
        (dict[Colour, int], {Colour.RED: 1}),
        (int | str, "1"),
        (int | str, 1),
        (int | float | None, 1.5),
        (bool | int, 1),
        (Point | None, None),
        (Point | str, Point(x=1)),
        (date | int, date(2024, 1, 1)),
        (Circle | Square, Square(size=1)),
        (Annotated[Circle | Square, Discriminator("kind")], Square(size=1)),
        (Point | list[Point], [Point(x=1)]),
        (Annotated[int, Field(gt=3)], 4),
        (Annotated[list[str], Field(min_length=1)], ["a"]),
        (Base64Bytes, b"abc"),
        (Any, {"a": [1, None, 1.5, "x", True]}),
        (object, [1]),
        (Any, None),
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(kind: Any, value: Any) -> None:
    back = through_json(kind, value)
    assert back == value
    assert type(back) is type(value)


class Unknown:
    def __repr__(self) -> str:
        return "Unknown()"


class Secret(BaseModel):
    password: SecretStr


class TextBytes(BaseModel):
    data: bytes


class TwoNames(BaseModel):
    a: int = Field(validation_alias="b", serialization_alias="c")


class LeftOut(BaseModel):
    a: int = Field(exclude=True)


class Tuples(enum.Enum):
    A = (1, 2)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Unknown, "Unable to generate pydantic-core schema for .*Unknown"),
        (list[Unknown], "is not a type that pydantic can handle"),
        (Callable[[], int], "is not a type that pydantic can handle"),
        (type[int], "a class has no JSON form"),
        (Iterable[int], "it can be read only once; use a list or a Sequence"),
        (Generator[int, None, None], "it can be read only once"),
        (Iterator[int], "is not a type that pydantic can handle"),
        (Json[int], "JSON inside of JSON"),
        (Secret, "it holds a secret"),
        (TextBytes, r"model_config = ConfigDict\(ser_json_bytes='base64'"),
        (TwoNames, "field 'a' is written as 'c' but read as 'b'"),
        (LeftOut, "field 'a' is required but left out when written"),
        (Tuples, r"Tuples\.A has a value that JSON cannot hold"),
        (dict[tuple[int, int], str], "JSON has only text as keys"),
        (dict[str | None, str], "JSON has only text as keys"),
        (dict[int | str, str], "keys must be of one type"),
        (dict[Level, str], "JSON has only text as keys"),
        (date | str, "date and str look alike in JSON"),
        (str | UUID, "str and uuid look alike in JSON"),
        (bytes | str | None, "bytes and str look alike in JSON"),
        (Colour | str, "Colour and str look alike in JSON"),
        (list[int] | set[int], "list and set look alike in JSON"),
        (list[list[int] | tuple[int, ...]], "list and tuple look alike in JSON"),
        (Pixel | Point | dict[str, int], "JSON cannot tell"),
        (Box[int] | Box[bool] | Circle, None),
        (T, "leaves ~T open"),
        (list.__class_getitem__(T), "leaves ~T open"),
        ("Missing", "'Missing', which cannot be resolved"),
    ],
    ids=repr,
)
def test_a_type_that_json_would_change_is_refused(kind: Any, reason: str | None) -> None:
    if reason is None:
        chain(kind)
        return
    with pytest.raises(DefinitionError, match=f"(?s)'give'.*its return type.*{reason}"):
        chain(kind)


def test_a_type_whose_description_cannot_be_stored_is_refused() -> None:
    class Described(BaseModel):
        x: int = Field(description="a\x00b")

    class Defaulted(BaseModel):
        x: float = math.nan

    with pytest.raises(DefinitionError, match=r"its JSON Schema cannot be stored.*NUL character"):
        chain(Described)
    with pytest.raises(DefinitionError, match=r"its JSON Schema cannot be stored.*nan is a number"):
        chain(Defaulted)


def test_bytes_are_looked_for_wherever_they_are() -> None:
    @dataclass
    class Holder:
        blob: Blob

    class Encoded(BaseModel):
        data: Base64Bytes

    class EncodedTwice(Blob):
        data: Base64Bytes

    assert through_json(list[Holder], [Holder(Blob(data=b"\xff"))]) == [Holder(Blob(data=b"\xff"))]
    assert through_json(EncodedTwice, EncodedTwice(data=b"YQ==")).data == b"a"
    with pytest.raises(DefinitionError, match="bytes field that is written as text"):
        chain(Encoded)
    with pytest.raises(DefinitionError, match="bytes field that is written as text"):
        chain(dict[str, list[TextBytes]])


def test_records_that_look_alike_are_refused_in_the_order_that_mixes_them_up() -> None:
    class Small(BaseModel):
        x: int

    class Large(BaseModel):
        x: int
        y: int = 0

    assert through_json(Small | Large, Small(x=1)) == Small(x=1)
    assert through_json(Small | Large, Large(x=1)) == Large(x=1)
    with pytest.raises(DefinitionError, match="JSON cannot tell Small and Large apart"):
        chain(Large | Small)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (int, "x", "Input should be a valid integer.*got 'x'"),
        (int, "5", r"expected int \(got '5', str\)"),
        (int, None, "Input should be a valid integer"),
        (None, 5, r"Input should be null|expected none"),
        (str, 5, "Input should be a valid string"),
        (bool, 1, "expected bool"),
        (date, "2024-01-01", r"expected date \(got '2024-01-01', str\)"),
        (UUID, "x", "Input should be a valid UUID"),
        (list[int], [1, "x", 3], r"\[1\]: Input should be a valid integer"),
        (list[int], (1, 2), r"expected list\[int\] \(got \(1, 2\), tuple\)"),
        (dict[str, int], {1: 2}, "expected str"),
        (Literal["a"], "b", "Input should be 'a'"),
        (Colour, "red", "expected enum"),
        (Point, {"x": 1}, r"expected Point \(got \{'x': 1\}, dict\)"),
        (Point, Pixel(x=1), "instance of Point"),
        (list[Point], [Pixel(x=1)], "instance of Point"),
        (Order, {"number": 1}, "expected Order|instance of Order"),
        (Movie, {"titel": "t"}, "title: Field required"),
        (Annotated[int, Field(gt=3)], 3, "greater than 3"),
        (Annotated[int, AfterValidator(abs)], "x", "valid integer"),
        (Any, Unknown(), "it cannot be written as Any: Unable to serialize unknown type"),
        (float, math.nan, "nan is a number that JSON cannot hold; use None or text"),
        (float, -math.inf, "-inf is a number that JSON cannot hold"),
        (float | None, math.nan, "nan is a number"),
        (Point, Point(x=1, y=math.nan), "y: nan is a number that JSON cannot hold"),
        (Any, {"a": [1, math.inf]}, r"a\[1\]: inf is a number"),
        (str, "a\x00b", r"'a\\x00b' holds a NUL character"),
        (Any, {"a": ["\x00"]}, r"a\[0\]: .* holds a NUL character"),
        (Any, {"a\x00": 1}, "holds a NUL character"),
        (str, "a\ud800", r"'a\\ud800' holds half of a surrogate pair"),
        (list[str], ["a", "\udfff"], r"\[1\]: .* half of a surrogate pair"),
    ],
    ids=repr,
)
def test_what_a_handler_should_not_return_is_told(kind: Any, value: Any, reason: str) -> None:
    giver, _ = chain(kind)
    with pytest.raises(
        HandlerOutputInvalid, match=f"(?s)^output of step 'give' of flow 'f' is invalid: .*{reason}"
    ) as raised:
        giver.dump_output(value)
    assert (raised.value.flow_slug, raised.value.step_slug) == ("f", "give")


def test_a_value_that_holds_itself_is_told() -> None:
    loop: list[Any] = []
    loop.append(loop)
    giver, _ = chain(Any)
    with pytest.raises(HandlerOutputInvalid, match="it cannot be written as Any"):
        giver.dump_output(loop)


def test_a_models_own_rules_are_checked_when_it_is_returned() -> None:
    giver, _ = chain(Even)
    even = Even(n=2)
    even.n = 3
    with pytest.raises(HandlerOutputInvalid, match="n: Value error, must be even"):
        giver.dump_output(even)


def test_stored_data_that_no_longer_fits_is_told() -> None:
    giver, _ = chain(Point)
    with pytest.raises(HandlerOutputInvalid, match="x: Field required"):
        giver.load_output('{"y": 1}')
