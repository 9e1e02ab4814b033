"""Background jobs: flows of one step."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pgflow_dsl import Context, DefinitionError, Flow, InputInvalid, compile_flow, job


@dataclass
class Mail:
    to: str


@job
async def send(mail: Mail) -> str:
    """Send a mail."""
    return f"sent to {mail.to}"


@job(max_attempts=8, timeout=timedelta(seconds=9), start_delay=timedelta(seconds=2), slug="purge")
def delete_old(ctx: Context, days: int = 30, dry: bool = False) -> int:
    return days * ctx.attempt


@job
def ping() -> None: ...


def test_a_job_is_a_flow_of_one_step() -> None:
    assert isinstance(send, Flow)
    assert send.slug == "send"
    assert send.steps == (send.main,)
    assert send.main.slug == "send"
    assert send.dump_input(Mail("ada")) == '{"to":"ada"}'
    assert "step_slug => 'send'" in compile_flow(send)


def test_a_job_is_called_as_its_function() -> None:
    assert asyncio.run(send(Mail("ada"))) == "sent to ada"
    assert send.__name__ == "send"
    assert send.__doc__ == "Send a mail."
    assert repr(send) == "<job 'send'>"


def test_a_job_gets_its_input_and_context(context: Context) -> None:
    args, kwargs = delete_old.main.bind("{}", "7", None, context)
    assert delete_old(*args, **kwargs) == 7
    assert send.main.bind("{}", '{"to": "ada"}', None, context) == ([], {"mail": Mail("ada")})


def test_options_go_to_the_flow_or_the_step() -> None:
    assert delete_old.slug == "purge"
    assert delete_old.options.max_attempts == 8
    assert delete_old.options.timeout == timedelta(seconds=9)
    assert delete_old.main.options.start_delay == timedelta(seconds=2)


def test_the_backoff_of_a_job_may_be_fixed() -> None:
    patient = job(backoff="fixed", base_delay=timedelta(seconds=9))(ping.main.fn)
    assert patient.shape()["options"] == {"baseDelay": 9, "backoff": "fixed"}
    assert "backoff => 'fixed'" in compile_flow(patient)
    assert "backoff" not in compile_flow(ping)
    wrong: Any = "linear"
    with pytest.raises(DefinitionError, match="backoff must be one of 'exponential', 'fixed'"):
        job(backoff=wrong)(ping.main.fn)


def test_a_job_without_parameters_takes_none(context: Context) -> None:
    assert ping.dump_input(None) == "null"
    assert ping.main.bind("{}", "null", None, context) == ([], {})
    wrong: Any = 5
    with pytest.raises(InputInvalid):
        ping.dump_input(wrong)


def test_a_job_has_one_input() -> None:
    loose: Any = job

    def two(a: int, b: int) -> None: ...
    def named(*, a: int) -> None: ...
    def untyped(a: int) -> None: ...

    del untyped.__annotations__["a"]

    with pytest.raises(DefinitionError, match="'b' has no default, but a job has one input"):
        loose(two)
    with pytest.raises(DefinitionError, match="'a' has no default, but a job has one input"):
        loose(named)
    with pytest.raises(DefinitionError, match="'a' has no annotation to check the input"):
        loose(untyped)
    with pytest.raises(DefinitionError, match="there is no option retries"):
        loose(retries=3)(ping.main.fn)
