"""Lays a built website beside those of other versions: `publish.py FOLDER VERSION`.

The folder is what a web server serves: one folder a version, `latest` as a copy of the highest,
`versions.json` for the menu of versions, a page that leads to the latest, and `robots.txt`, which
tells search engines where its pages are listed.
"""

import json
import re
import shutil
import sys
from pathlib import Path

SITE = Path(__file__).parents[1] / "site"
LATEST = "latest"
REDIRECT = f"""<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={LATEST}/">
<title>pgflow for Python</title>
<a href="{LATEST}/">The latest version</a>
"""


def order(version: str) -> list[int]:
    """Return what versions are compared by."""
    return [int(number) for number in re.findall(r"\d+", version)]


def publish(site: Path, folder: Path, version: str) -> list[str]:
    """Put a built site into its place, and return all versions there are, the highest first.

    Args:
        site: What was built.
        folder: Where all versions are.
        version: Which one this is; what is there of it is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lay(site, folder / version)
    versions = [each.name for each in folder.iterdir() if re.match(r"\d+(\.\d+)+$", each.name)]
    versions.sort(key=order, reverse=True)
    lay(folder / versions[0], folder / LATEST)
    menu = [
        {"version": each, "title": each, "aliases": [LATEST] if each == versions[0] else []}
        for each in versions
    ]
    (folder / "versions.json").write_text(json.dumps(menu, indent=2) + "\n")
    (folder / "index.html").write_text(REDIRECT)
    (folder / "robots.txt").write_text(robots(folder / LATEST / "sitemap.xml"))
    return versions


def robots(sitemap: Path) -> str:
    """Return the words to search engines; the first page of the sitemap is where it is itself."""
    first = re.search(r"<loc>(.+?)</loc>", sitemap.read_text() if sitemap.exists() else "")
    named = f"Sitemap: {first[1]}sitemap.xml\n" if first else ""
    return f"User-agent: *\nAllow: /\n{named}"


def lay(site: Path, place: Path) -> None:
    """Copy a site to its place, and leave nothing there of what it was before."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(site, place)


if __name__ == "__main__":
    publish(SITE, Path(sys.argv[1]), sys.argv[2])
