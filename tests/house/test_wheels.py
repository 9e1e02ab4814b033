"""Each package, built and installed by itself, does its job without the workspace around it."""

from pathlib import Path

import pytest

from tests.house.workspace import PACKAGES, ROOT, Package
from tools.releases.building import build, compare
from tools.releases.commands import ReleaseError
from tools.releases.metadata import file_names
from tools.releases.trying import try_alone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EPOCH = 1_800_000_000


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artefacts")
    build(ROOT, folder, epoch=EPOCH)
    return folder


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_wheel_alone_in_a_new_environment_does_its_job(
    package: Package, artefacts: Path, tmp_path: Path
):
    try_alone(package.name, artefacts, package.project["version"], tmp_path)


def test_each_package_is_built_as_a_wheel_and_as_sources(artefacts: Path):
    assert {path.name for path in artefacts.iterdir()} == {
        name
        for package in PACKAGES
        for name in file_names(package.name, package.project["version"])
    }


def test_a_build_elsewhere_gives_the_same_files(artefacts: Path, tmp_path: Path):
    build(ROOT, tmp_path, epoch=EPOCH, is_elsewhere=True)
    compare(artefacts, tmp_path)
    # Else the time does not get into the files, and the comparison says less than it seems to.
    build(ROOT, tmp_path, epoch=EPOCH + 86_400)
    with pytest.raises(ReleaseError, match="differ in"):
        compare(artefacts, tmp_path)
