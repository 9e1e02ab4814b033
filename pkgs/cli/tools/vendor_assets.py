"""Bring the dashboard's libraries into the tree: `uv run python pkgs/cli/tools/vendor_assets.py`.

The dashboard works without the internet and is built by nobody: what it needs is in its wheel, as
its authors publish it, beside their licences. This needs npm, and only where a version changes.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "src/pgflow_cli/ui/assets/vendor"

# Package and version: the files to take, by the name that they get here.
LIBRARIES = {
    ("preact", "11.2.0"): {
        "preact.js": "dist/preact.mjs",
        "hooks.js": "hooks/dist/hooks.mjs",
        "preact.LICENSE": "LICENSE",
    },
    ("htm", "3.1.1"): {"htm.js": "dist/htm.mjs", "htm.LICENSE": "LICENSE"},
    ("@dagrejs/dagre", "3.1.3"): {
        "dagre.js": "dist/dagre.esm.js",
        # That of the libraries within it, too.
        "dagre.LICENSE": "dist/dagre.esm.js.LEGAL.txt",
    },
}
# A browser knows files, not packages.
IMPORTS = {'from"preact"': 'from"./preact.js"'}


def main() -> None:
    """Take the files, and write down what they are."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    listed = []
    for (name, version), files in LIBRARIES.items():
        package = fetch(name, version)
        listed.append(
            {
                "name": name,
                "version": version,
                "license": json.loads((package / "package.json").read_text())["license"],
                "files": {ours: take(package / theirs, ours) for ours, theirs in files.items()},
            }
        )
    (VENDOR / "libraries.json").write_text(json.dumps(listed, indent=2) + "\n")


def fetch(name: str, version: str) -> Path:
    """Download a package; return the folder of its files."""
    folder = Path(tempfile.mkdtemp(prefix="pgflow-vendor-"))
    packed = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--silent"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    shutil.unpack_archive(folder / packed.stdout.strip(), folder)
    return folder / "package"


def take(source: Path, name: str) -> str:
    """Write a file of a package into the tree; return its digest."""
    text = source.read_text()
    if name.endswith(".js"):
        lines = [line for line in text.splitlines() if not line.startswith("//# sourceMapping")]
        text = "\n".join(lines).rstrip() + "\n"
        for theirs, ours in IMPORTS.items():
            text = text.replace(theirs, ours)
    (VENDOR / name).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
