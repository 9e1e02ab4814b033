"""The five packages are one release: one version, exact pins, the same papers in each."""

import re

import pytest

from tests.house.workspace import PACKAGES, ROOT, Package, read_project

FIRST_VERSION = "0.1.0"
KINDS = {"breaking", "added", "changed", "fixed"}
every_package = pytest.mark.parametrize("package", PACKAGES, ids=str)


def test_the_five_packages_are_there():
    assert {package.folder.name for package in PACKAGES} == {
        "core-sql",
        "dsl",
        "client",
        "worker",
        "cli",
    }


def test_all_packages_and_the_changelog_carry_one_version():
    versions = {package.name: package.project["version"] for package in PACKAGES}
    versions["the workspace"] = read_project(ROOT)["version"]
    released = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    versions["CHANGELOG.md"] = released[0] if released else FIRST_VERSION
    assert len(set(versions.values())) == 1, versions


@every_package
def test_packages_name_each_other_by_exactly_this_version(package: Package):
    ours = [need for need in package.project["dependencies"] if need.startswith("pgflow-")]
    version = package.project["version"]
    assert ours == [f"{re.split('[^a-z-]', need)[0]}=={version}" for need in ours]


@every_package
@pytest.mark.parametrize("paper", ["README.md", "LICENSE", "src/{module}/py.typed"])
def test_each_package_has_its_papers(package: Package, paper: str):
    assert (package.folder / paper.format(module=package.module)).is_file()


@every_package
def test_each_package_carries_the_license_of_the_project(package: Package):
    assert (package.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_each_changelog_fragment_has_a_known_kind_and_one_sentence():
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    for fragment in fragments:
        slug, kind, ending = fragment.name.split(".")
        assert re.fullmatch(r"[a-z0-9-]+", slug), fragment.name
        assert kind in KINDS, fragment.name
        assert ending == "md", fragment.name
        text = fragment.read_text().strip()
        assert text.endswith("."), fragment.name
        assert "\n\n" not in text, fragment.name
