"""Thumbnails of images, made in processes of the worker, as many as there are CPUs."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from PIL import Image
from pydantic import BaseModel

LARGEST = (96, 96)


class Thumbnail(BaseModel):
    """A small image beside a large one."""

    name: str
    width: int
    height: int


thumbnails = Flow("thumbnails", input=Path, timeout=timedelta(seconds=30))


@thumbnails.step
def find_images(folder: Path = thumbnails.input) -> list[Path]:
    """Find the images of a folder, but for those that were made here."""
    return sorted(path for path in folder.glob("*.png") if not path.stem.endswith("-small"))


@thumbnails.map(over=find_images.output, executor="process", when_exhausted="skip")
def shrink(path: Path) -> Thumbnail:
    """Shrink one image. A process that is past the timeout is killed, and another one made."""
    small = path.with_name(f"{path.stem}-small.png")
    with Image.open(path) as image:
        image.thumbnail(LARGEST)
        # Saved under another name first: whoever looks meanwhile sees no half of an image.
        image.save(small.with_suffix(".part"), format="png")
    small.with_suffix(".part").replace(small)
    return Thumbnail(name=small.name, width=image.width, height=image.height)


@thumbnails.step
def make_index(
    folder: Path = thumbnails.input, made: list[Thumbnail] | None = shrink.output
) -> int:
    """Write a page that shows them."""
    lines = [f'<img src="{each.name}" width="{each.width}">' for each in made or []]
    (folder / "index.html").write_text("\n".join(lines))
    return len(lines)


async def main() -> None:
    """Draw some images and shrink them."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, size in enumerate([(640, 480), (300, 900), (64, 64)]):
            Image.linear_gradient("L").resize(size).save(folder / f"image-{index}.png")
        async with running_worker([thumbnails], database_url), AsyncClient(database_url) as client:
            run = await client.start_flow(thumbnails, folder)
            print(f"{await run.result_of(make_index)} thumbnails")
            for each in await run.output_of(shrink) or []:
                print(f"{each.name}: {each.width} x {each.height}")


if __name__ == "__main__":
    asyncio.run(main())
