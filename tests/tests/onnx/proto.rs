//! The few messages of ONNX's format that tests write.

/// Fields, encoded.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub fn int(self, field: u64, value: i64) -> Self {
        self.varint(field << 3).varint(value as u64)
    }

    pub fn float(self, field: u64, value: f32) -> Self {
        let mut message = self.varint(field << 3 | 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn bytes(self, field: u64, value: &[u8]) -> Self {
        let mut message = self.varint(field << 3 | 2).varint(value.len() as u64);
        message.0.extend(value);
        message
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn each(self, field: u64, values: &[Message]) -> Self {
        values.iter().fold(self, |message, value| message.bytes(field, &value.0))
    }
}

fn tensor(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Message {
    let message = dims.iter().fold(Message::default(), |message, dim| message.int(1, *dim));
    message.int(2, kind).text(8, name).bytes(9, raw)
}

pub fn floats(name: &str, dims: &[i64], data: &[f32]) -> Message {
    tensor(name, dims, 1, &data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

pub fn bytes(name: &str, dims: &[i64], data: &[u8]) -> Message {
    tensor(name, dims, 2, data)
}

pub fn integers(name: &str, data: &[i64]) -> Message {
    indices(name, &[data.len() as i64], data)
}

pub fn indices(name: &str, dims: &[i64], data: &[i64]) -> Message {
    tensor(name, dims, 7, &data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

/// Attributes by kind.
pub mod attribute {
    use super::{Message, declared};

    fn named(name: &str, kind: i64) -> Message {
        Message::default().text(1, name).int(20, kind)
    }

    pub fn float(name: &str, value: f32) -> Message {
        named(name, 1).float(2, value)
    }

    pub fn int(name: &str, value: i64) -> Message {
        named(name, 2).int(3, value)
    }

    pub fn text(name: &str, value: &str) -> Message {
        named(name, 3).text(4, value)
    }

    pub fn tensor(name: &str, value: Message) -> Message {
        named(name, 4).bytes(5, &value.0)
    }

    /// A branch without inputs, whose result is `output`.
    pub fn branch(name: &str, nodes: &[Message], output: &str) -> Message {
        let graph = Message::default().each(1, nodes).text(2, name).each(12, &[declared(output, None)]);
        named(name, 5).bytes(6, &graph.0)
    }

    /// A graph of these operands, each with its shape, and results.
    pub fn body(name: &str, operands: &[(&str, &[i64])], nodes: &[Message], results: &[&str]) -> Message {
        let operands: Vec<Message> = operands.iter().map(|(name, shape)| declared(name, Some(shape))).collect();
        let results: Vec<Message> = results.iter().map(|name| declared(name, None)).collect();
        let graph = Message::default().each(1, nodes).text(2, name).each(11, &operands).each(12, &results);
        named(name, 5).bytes(6, &graph.0)
    }

    pub fn floats(name: &str, values: &[f32]) -> Message {
        values.iter().fold(named(name, 6), |message, value| message.float(7, *value))
    }

    pub fn texts(name: &str, values: &[&str]) -> Message {
        values.iter().fold(named(name, 8), |message, value| message.text(9, value))
    }

    pub fn ints(name: &str, values: &[i64]) -> Message {
        values.iter().fold(named(name, 7), |message, value| message.int(8, *value))
    }
}

pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    message.text(2, output).text(3, &format!("the {operator} of {output}")).text(4, operator).each(5, attributes)
}

/// Of the domain for tables.
pub fn table_node(operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Message]) -> Message {
    node_of("ai.onnx.ml", operator, inputs, outputs, attributes)
}

/// Of a domain.
pub fn node_of(domain: &str, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Message]) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    let message = outputs.iter().fold(message, |message, output| message.text(2, output));
    message.text(3, &format!("the {operator}")).text(4, operator).each(5, attributes).text(7, domain)
}

fn declared(name: &str, shape: Option<&[i64]>) -> Message {
    let message = Message::default().text(1, name);
    let Some(shape) = shape else { return message };
    let dims: Vec<Message> = shape.iter().map(|len| Message::default().int(1, *len)).collect();
    let tensor = Message::default().int(1, 1).bytes(2, &Message::default().each(1, &dims).0);
    message.bytes(2, &Message::default().bytes(1, &tensor.0).0)
}

/// From `x` to `y`.
pub fn model(opset: i64, shape: &[i64], weights: &[Message], nodes: &[Message]) -> Vec<u8> {
    model_of([opset, 3], shape, weights, nodes)
}

/// From `x` to `y`, of these versions of ONNX's operators and of those for tables.
pub fn model_of([opset, tables]: [i64; 2], shape: &[i64], weights: &[Message], nodes: &[Message]) -> Vec<u8> {
    let graph = Message::default().each(1, nodes).text(2, "test").each(5, weights);
    let graph = graph.each(11, &[declared("x", Some(shape))]).each(12, &[declared("y", None)]);
    let versions = [("", opset), ("ai.onnx.ml", tables), ("com.microsoft", 1)];
    let versions = versions.map(|(name, version)| Message::default().text(1, name).int(2, version));
    Message::default().int(1, 8).bytes(7, &graph.0).each(8, &versions).0
}
