"""A map over the results of a map, with a value that every element receives."""

import asyncio

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from pydantic import BaseModel


class Station(BaseModel):
    """Where it was measured, and what, in degrees Celsius."""

    name: str
    degrees: list[float]


class Report(BaseModel):
    """What to look at, and from how many degrees on it is hot."""

    stations: list[Station]
    hot_from: float


class Mean(BaseModel):
    """The mean of one station."""

    name: str
    degrees: float


weather = Flow("weather", input=Report)


@weather.step
def list_stations(report: Report = weather.input) -> list[Station]:
    """Leave out stations that measured nothing."""
    return [station for station in report.stations if station.degrees]


@weather.map(over=list_stations.output)
def mean(station: Station) -> Mean:
    """Work out the mean of one station."""
    return Mean(name=station.name, degrees=sum(station.degrees) / len(station.degrees))


@weather.map(over=mean.output)
def judge(each: Mean, report: Report = weather.input) -> str:
    """Judge one mean. The report is the same for every element."""
    word = "hot" if each.degrees >= report.hot_from else "mild"
    return f"{each.name} is {word} at {each.degrees:.1f}"


async def main() -> None:
    """Judge three stations."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    stations = [
        Station(name="Athens", degrees=[31.0, 34.5]),
        Station(name="Bergen", degrees=[11.5, 9.0, 12.5]),
        Station(name="Nowhere", degrees=[]),
    ]
    async with running_worker([weather], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(weather, Report(stations=stations, hot_from=28))
        for line in await run.result_of(judge):
            print(line)


if __name__ == "__main__":
    asyncio.run(main())
