"""Writes transformers of random weights, as PyTorch exports their parts, and random tokens for them: of the shape of GPT-2 (normalization and
Gelu from primitive operators, a causal mask), the same with a mask of padding, and of the shape of BERT (LayerNormalization, Erf), also as
onnxruntime's dynamic quantization leaves it."""

import json
import pathlib
import sys

import numpy
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

VOCABULARY, TOKENS, WIDTH, HEADS, LAYERS, SAMPLES = 300, 12, 48, 4, 2, 6


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.random = [], [], numpy.random.default_rng(0)

    def constant(self, value, kind=numpy.float32):
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(value, kind), name))
        return name

    def weight(self, *shape, size=None):
        return self.constant(self.random.normal(0, size or shape[0] ** -0.5, shape))

    def node(self, operator, *inputs, outputs=1, **attributes):
        names = [f"{operator}{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def dense(self, x, inside, outside):
        return self.node("Add", self.node("MatMul", x, self.weight(inside, outside)), self.weight(outside, size=0.1))

    def normalized(self, x):
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        variance = self.node("ReduceMean", self.node("Pow", centred, self.constant(2.0)), axes=[-1])
        root = self.node("Sqrt", self.node("Add", variance, self.constant(1e-5)))
        scaled = self.node("Mul", self.node("Div", centred, root), self.constant(self.random.normal(1, 0.1, WIDTH)))
        return self.node("Add", scaled, self.weight(WIDTH, size=0.1))

    def gelu(self, x):
        cubed = self.node("Mul", self.constant(0.044715), self.node("Pow", x, self.constant(3.0)))
        inner = self.node("Mul", self.constant((2 / numpy.pi) ** 0.5), self.node("Add", x, cubed))
        factor = self.node("Add", self.constant(1.0), self.node("Tanh", inner))
        return self.node("Mul", self.node("Mul", self.constant(0.5), x), factor)

    def attention(self, x, masked):
        parts = self.node("Split", self.dense(x, WIDTH, 3 * WIDTH), self.constant([WIDTH] * 3, numpy.int64), outputs=3, axis=2)
        split = self.constant([1, TOKENS, HEADS, WIDTH // HEADS], numpy.int64)
        query, key, value = (self.node("Reshape", part, split) for part in parts)
        query, value = (self.node("Transpose", part, perm=[0, 2, 1, 3]) for part in (query, value))
        key = self.node("Transpose", key, perm=[0, 2, 3, 1])
        scores = self.node("Div", self.node("MatMul", query, key), self.constant((WIDTH / HEADS) ** 0.5))
        shares = self.node("Softmax", masked(scores), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", mixed, self.constant([1, TOKENS, WIDTH], numpy.int64))
        return self.dense(joined, WIDTH, WIDTH)

    def causal(self, low):
        mask = self.constant(numpy.tril(numpy.ones((1, 1, TOKENS, TOKENS))), numpy.bool_)
        return lambda scores: self.node("Where", mask, scores, self.constant(low))

    def padding(self, low):
        """1 for a token, 0 for what is none, to be added to scores."""
        axes = self.constant([1, 2], numpy.int64)
        kept = self.node("Cast", self.node("Unsqueeze", "attention_mask", axes), to=TensorProto.FLOAT)
        return self.node("Mul", self.node("Sub", self.constant(1.0), kept), self.constant(low))

    def chosen_padding(self, low):
        """As newer exporters write it."""
        axes = self.constant([1, 2], numpy.int64)
        wide = self.node("Expand", self.node("Unsqueeze", "attention_mask", axes), self.constant([1, 1, TOKENS, TOKENS], numpy.int64))
        kept = self.node("Cast", wide, to=TensorProto.FLOAT)
        left = self.node("Sub", self.constant(1.0), kept)
        return self.node("Where", self.node("Cast", left, to=TensorProto.BOOL), self.constant(low), left)

    def embedded(self):
        table = self.weight(VOCABULARY, WIDTH, size=1.0)
        return table, self.node("Add", self.node("Gather", table, "tokens"), self.weight(TOKENS, WIDTH, size=0.3))

    def gpt2(self, masks):
        table, x = self.embedded()
        for masked in masks:
            x = self.node("Add", x, self.attention(self.normalized(x), masked))
            hidden = self.gelu(self.dense(self.normalized(x), WIDTH, 4 * WIDTH))
            x = self.node("Add", x, self.dense(hidden, 4 * WIDTH, WIDTH))
        # The last matrix is the first one, turned.
        turned = self.node("Transpose", table, perm=[1, 0])
        self.nodes.append(helper.make_node("MatMul", [self.normalized(x), turned], ["result"]))
        return self.model([1, TOKENS, VOCABULARY])

    def layer_norm(self, x):
        return self.node("LayerNormalization", x, self.constant(self.random.normal(1, 0.1, WIDTH)), self.weight(WIDTH, size=0.1))

    def bert(self, masks):
        _, x = self.embedded()
        for masked in masks:
            x = self.layer_norm(self.node("Add", x, self.attention(x, masked)))
            hidden = self.dense(x, WIDTH, 4 * WIDTH)
            error = self.node("Erf", self.node("Div", hidden, self.constant(2**0.5)))
            half = self.node("Mul", hidden, self.node("Add", error, self.constant(1.0)))
            hidden = self.node("Mul", half, self.constant(0.5))
            x = self.layer_norm(self.node("Add", x, self.dense(hidden, 4 * WIDTH, WIDTH)))
        first = self.node("Gather", x, self.constant(0, numpy.int64), axis=1)
        pooled = self.node("Tanh", self.dense(first, WIDTH, WIDTH))
        self.nodes.append(helper.make_node("Gemm", [pooled, self.weight(WIDTH, 3), self.weight(3, size=0.1)], ["result"]))
        return self.model([1, 3])

    def model(self, shape):
        used = {name for node in self.nodes for name in node.input}
        inputs = [name for name in ("tokens", "attention_mask") if name in used]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, TOKENS]) for name in inputs]
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "transformer", inputs, [result], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def samples(random, padded):
    for _ in range(SAMPLES):
        tokens = random.integers(0, VOCABULARY, TOKENS)
        kept = (numpy.arange(TOKENS) < random.integers(2, TOKENS + 1)).astype(int)
        given = [tokens * kept, kept] if padded else [tokens]
        yield [{"shape": [1, TOKENS], "data": each.tolist()} for each in given]


def main(folder):
    least = float(numpy.finfo(numpy.float32).min)

    def gpt2(graph):
        return graph.gpt2([graph.causal(-10000.0), graph.causal(-numpy.inf)])

    def gpt2_padded(graph):
        causal, padding = graph.causal(least), graph.padding(least)
        return graph.gpt2([lambda scores: graph.node("Add", causal(scores), padding)] * 2)

    def bert(graph):
        padding = graph.padding(-10000.0)
        return graph.bert([lambda scores: graph.node("Add", scores, padding)] * 2)

    def bert_chosen(graph):
        padding = graph.chosen_padding(least)
        return graph.bert([lambda scores: graph.node("Add", scores, padding)] * 2)

    for write in (gpt2, gpt2_padded, bert, bert_chosen):
        graph = Graph()
        path = pathlib.Path(folder) / f"{write.__name__}.onnx"
        path.write_bytes(write(graph).SerializeToString())
        path.with_suffix(".json").write_text(json.dumps(list(samples(graph.random, write is not gpt2))))
    bert, quantized = (pathlib.Path(folder) / f"{name}.onnx" for name in ("bert", "bert_bytes"))
    quantize_dynamic(bert, quantized, weight_type=QuantType.QInt8)
    quantized.with_suffix(".json").write_text(bert.with_suffix(".json").read_text())


main(sys.argv[1])
