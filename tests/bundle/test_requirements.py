"""What a target lacks, from wheels in a folder; no network."""

import base64
import hashlib
import zipfile

import pytest
from packaging.version import Version

from compkit.bundle.requirements import (
    fetch_wheels,
    lacking,
    read_packages,
    target_environment,
    wheel_requires,
)
from compkit.bundle.wheel import Project, project_files, this_project, write_wheel

LINUX = {"python": "3.11", "platform": "manylinux_2_28_x86_64"}


@pytest.fixture
def index(tmp_path):
    """index("name", "1.0", "other>=2") puts such a wheel into a folder; index.place is the folder."""

    class Index:
        place = tmp_path / "index"

        def __call__(self, name, version, *requires):
            self.place.mkdir(exist_ok=True)
            write_wheel(self.place, Project(name, version, ">=3.8", requires), {f"{name}.py": b""})

    return Index()


def fetched(tmp_path, index, requires, packages):
    have = {name: Version(version) for name, version in packages.items()}
    found = fetch_wheels(tmp_path / "wheels", requires, have, **LINUX, source=str(index.place))
    assert sorted(path.name for path in (tmp_path / "wheels").glob("*.whl")) == [path.name for path in found]
    return [path.name.split("-py3")[0] for path in found]


def test_only_what_is_missing_or_too_old_is_brought_and_what_that_needs(tmp_path, index):
    index(
        "alpha", "1.0", "beta>=2", "torch>=2.0", "gone; python_version < '3'", "win; sys_platform == 'win32'"
    )
    for version in ("1.5", "2.0", "2.5", "3.0"):
        index("beta", version)
    index("fine", "9.0")
    have = {"fine": "1.2", "torch": "2.8.0+cu126", "beta": "1.9"}
    assert fetched(tmp_path, index, ["alpha>=1", "fine>=1", "beta<3"], have) == ["alpha-1.0", "beta-2.5"]


def test_a_wheel_that_another_one_rules_out_is_replaced(tmp_path, index):
    index("alpha", "1.0", "beta<2")
    index("beta", "1.0")
    index("beta", "2.0")
    assert fetched(tmp_path, index, ["beta>=1", "alpha"], {}) == ["alpha-1.0", "beta-1.0"]


def test_nothing_is_brought_to_who_has_all(tmp_path, index):
    assert fetch_wheels(tmp_path, ["torch>=2"], {"torch": Version("2.8")}, **LINUX) == []


@pytest.mark.parametrize("name", ["torch", "torchvision", "numpy"])
def test_what_is_bound_to_the_image_is_never_brought_when_it_is_there(tmp_path, index, name):
    index(name, "9.0")
    with pytest.raises(ValueError, match=rf"the target has {name} 1.0, and compkit needs {name}>=2"):
        fetched(tmp_path, index, [f"{name}>=2"], {name: "1.0"})
    assert fetched(tmp_path, index, [f"{name}>=2"], {}) == [f"{name}-9.0"]


def test_wheels_that_cannot_be_had_or_agreed_on_are_told(tmp_path, index, monkeypatch):
    index("alpha", "1.0", "beta<2")
    index("beta", "1.0", "alpha>5")
    with pytest.raises(ValueError, match=r"alpha>5: no wheel for python=3.11 platform=manylinux_2_28_x86_64"):
        fetched(tmp_path, index, ["alpha"], {})
    monkeypatch.setattr("compkit.bundle.requirements.ROUNDS", 2)
    for number in range(1, 4):
        index(f"chain{number}", "1.0", f"chain{number + 1}")
    with pytest.raises(ValueError, match=r"after 2 rounds, chain2 is still wanted in other versions"):
        fetched(tmp_path, index, ["chain1"], {})


def test_packages_are_read_as_pip_freeze_prints_them(tmp_path):
    page = tmp_path / "packages.txt"
    page.write_text(
        "Foo.Bar==1.0\n-e git+https://x#egg=y\nbaz @ file:///baz\nbad==one\n\n# no\nlocal==2.0+cu1  # yes\n"
    )
    assert read_packages(page) == {"foo-bar": Version("1.0"), "local": Version("2.0+cu1")}
    page.write_text("foo\n")
    with pytest.raises(ValueError, match=r"has no line `name==version`"):
        read_packages(page)
    with pytest.raises(FileNotFoundError, match=r"pip freeze > packages.txt"):
        read_packages(tmp_path / "none.txt")


@pytest.mark.parametrize(
    "python, platform, words",
    [
        ("three", "manylinux_2_28_x86_64", "python=three"),
        ("3", "manylinux_2_28_x86_64", "python=3:"),
        ("3.11", "win_amd64", "platform=win_amd64"),
        ("3.11", "manylinux_2_28_s390x", "platform=manylinux"),
    ],
)
def test_a_target_that_is_none_is_refused(python, platform, words):
    with pytest.raises(ValueError, match=words):
        target_environment(python, platform)


def test_a_line_that_is_no_requirement_is_refused():
    with pytest.raises(ValueError, match=r"requirement 'a b c'"):
        lacking(["a b c"], {}, {})


def test_the_wheel_has_every_module_its_pages_and_true_hashes(tmp_path):
    files = project_files()
    path = write_wheel(tmp_path, this_project(), files)
    assert {"compkit/cli.py", "compkit/conf/train.yaml", "compkit/report/page.html.j2"} <= set(files)
    with zipfile.ZipFile(path) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
        lines = [line.split(",") for line in archive.read(record).decode().splitlines()]
        assert sorted(name for name, *_ in lines) == sorted(archive.namelist())
        for name, digest, size in lines:
            if name != record:
                data = archive.read(name)
                want = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={want}", len(data))
    assert wheel_requires(path) == list(this_project().requires)
    again = write_wheel(tmp_path / "again", this_project(), files)
    assert again.read_bytes() == path.read_bytes()


def test_without_a_checkout_the_installed_project_tells_of_itself(tmp_path, monkeypatch):
    checkout = this_project()
    monkeypatch.setattr("compkit.__file__", str(tmp_path / "compkit" / "__init__.py"))
    installed = this_project()
    assert (installed.name, installed.version) == (checkout.name, checkout.version)
    assert not [one for one in installed.requires if "extra" in one] and len(installed.requires) > 10
