"""Models that others trained and models of public architectures, which a folder has (the second argument): copies each NAME.onnx to another (the first)
and writes to NAME.json samples as run.py reads them."""

import gzip
import json
import pathlib
import shutil
import sys

import numpy


def tensor(array):
    return {"shape": list(array.shape), "data": [float(x) for x in array.flatten()]}


def digits(source):
    """Of MNIST's test set, bytes."""
    with gzip.open(source / "t10k-images-idx3-ubyte.gz") as file:
        return numpy.frombuffer(file.read(16 + 64 * 784)[16:], numpy.uint8).reshape(64, 28, 28)


def mnist(source):
    return [(image[None, None] / 255 - 0.1307) / 0.3081 for image in digits(source)]


def usps(source):
    """USPS has 16 x 16: the mean of the four pixels at each place."""
    at = numpy.arange(16) * 26 // 15
    whole = digits(source).astype(float)
    pixels = sum(whole[:, at + down][:, :, at + right] for down in (0, 1) for right in (0, 1)) / 4
    return [(image[None, None] / 255 - 0.2471) / 0.2994 for image in pixels]


def reaction(source):
    return [numpy.load(source / "rxn_ids.npy")]


def photographs(source):
    """A palace and a daisy."""
    images = [numpy.load(source / f"{name}.jpg.npy") for name in ("china", "flower")]
    return [(image.astype(float).transpose(2, 0, 1)[None] - 127) / 128 for image in images]


def random(*shape):
    return lambda _: list(numpy.random.default_rng(1).normal(0, 1, (8, 1, *shape)))


MODELS = {
    "ccexam_mnist_cnn": mnist,
    "ccexam_usps_cnn": usps,
    "rxnmapper_albert_seq25": reaction,
    "efficientnet_lite0": photographs,
    "bench/mlp-1M": random(784),
    "bench/lenet": random(1, 28, 28),
    "bench/resnet20": random(3, 32, 32),
    "bench/tf-1L": random(16, 64),
}


def main(folder, source):
    for name, samples in MODELS.items():
        path = folder / pathlib.Path(name).with_suffix(".onnx").name
        shutil.copyfile(source / f"{name}.onnx", path)
        path.with_suffix(".json").write_text(json.dumps([[tensor(sample)] for sample in samples(source)]))


main(*map(pathlib.Path, sys.argv[1:]))
