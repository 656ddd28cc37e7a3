"""ONNX's own tests of operators, as each version of its package has them.

For each version that is named, folder/VERSION/data holds them afterwards: a wheel is an archive, of which nothing is installed.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER, VERSIONS = Path(sys.argv[1]), sys.argv[2:]
DATA = "onnx/backend/test/data/"
PLATFORMS = ["manylinux1", "manylinux2010", "manylinux2014", "manylinux_2_12", "manylinux_2_17"]
# Older wheels are for older Pythons alone.
PYTHONS = [f"3.{minor}" for minor in (11, 10, 9, 8, 7, 6, 5)]


def download(version, to):
    for python in PYTHONS:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", python, "--dest", to, f"onnx=={version}"]
        for platform in PLATFORMS:
            command += ["--platform", f"{platform}_x86_64"]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            return next(Path(to).glob("*.whl"))
    sys.exit(f"no wheel of onnx {version}")


for version in VERSIONS:
    target = FOLDER / version
    if (target / "data").exists():
        continue
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        wheel = zipfile.ZipFile(download(version, scratch))
        for name in wheel.namelist():
            if name.startswith((DATA + "node/", DATA + "simple/", DATA + "pytorch-")):
                wheel.extract(name, scratch)
        (Path(scratch) / DATA).rename(target / "data")
