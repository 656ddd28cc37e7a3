"""What onnxruntime computes: for each NAME.onnx in a folder and the samples in NAME.json (a list of samples, of each a list of the
inputs, each a shape and its elements in order) it writes NAME.out.json, of each sample all outputs' elements in order, or why it does not run the model."""

import json
import pathlib
import sys

import numpy
import onnxruntime


def elements(output):
    """A table of scores by class is a row of them, a label that is a text none."""
    if isinstance(output, list):
        return [float(score) for row in output for score in row.values()]
    if output.dtype == object:
        return []
    return [float(x) for x in output.astype(numpy.float64).flatten()]


def answers(path, samples):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    kinds = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32}
    for sample in samples:
        given = zip(inputs, sample)
        arrays = {to.name: numpy.array(each["data"], kinds[to.type]).reshape(each["shape"]) for to, each in given}
        yield [elements(output) for output in session.run(None, arrays)]


def main(folder):
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        samples = json.loads(path.with_suffix(".json").read_text())
        try:
            found = list(answers(path, samples))
        except Exception as error:
            found = str(error)
        path.with_suffix(".out.json").write_text(json.dumps(found))


main(sys.argv[1])
