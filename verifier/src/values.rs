//! A proof's public values, as numbers for people and scripts.

use std::fmt;

use serde::Serialize;
use vouch_circuits::ir::Role;
use vouch_circuits::key::PublicTensor;

/// How many values people are shown.
const SHOWN: usize = 12;

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorValues {
    /// Its name in the ONNX file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// The real values, row-major.
    pub values: Vec<f64>,
    /// The integers that the proof is about.
    pub integers: Vec<i64>,
    /// A value is an integer times `2^-frac`.
    pub frac: i32,
    /// Position of the largest value, the first on ties.
    pub argmax: usize,
}

impl TensorValues {
    /// From integers.
    pub fn new(name: &str, shape: &[usize], frac: i32, integers: &[i64]) -> Self {
        let scale = f64::from(-frac).exp2();
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: integers.iter().map(|&q| q as f64 * scale).collect(),
            integers: integers.to_vec(),
            frac,
            argmax: argmax(integers),
        }
    }
}

impl TensorValues {
    /// The name, the shape and the first values.
    pub fn line(&self) -> String {
        let mut values: Vec<_> = self.values.iter().take(SHOWN).map(|value| format!("{value:.4}")).collect();
        if self.values.len() > SHOWN {
            values.push("…".into());
        }
        format!("{:?} {:?}: {}", printable(&self.name), self.shape, values.join("  "))
    }
}

/// The line, and the largest value where there are several.
impl fmt::Display for TensorValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())?;
        match self.values.get(self.argmax) {
            Some(largest) if self.values.len() > 1 => {
                write!(f, "\n  largest: position {}, {largest:.4}", self.argmax)
            }
            _ => Ok(()),
        }
    }
}

/// What a proof states.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// What the model was run on, as far as it is stated.
    pub inputs: Vec<TensorValues>,
    /// Names of inputs of which only the prover knows the values.
    pub private_inputs: Vec<String>,
    /// What it gave.
    pub outputs: Vec<TensorValues>,
}

impl Stated {
    /// From the public tensors' integers, in the key's order.
    pub fn new(publics: &[PublicTensor], values: &[Vec<i64>]) -> Self {
        let tensors = |role| {
            let stated = publics.iter().zip(values).filter(|(public, _)| public.is_stated());
            let publics = stated.filter(move |(public, _)| public.role == role);
            publics.map(|(public, q)| TensorValues::new(&public.name, &public.shape, public.frac, q)).collect()
        };
        let private = publics.iter().filter(|public| !public.is_stated());
        let private_inputs = private.map(|public| public.name.clone()).collect();
        Self { inputs: tensors(Role::Input), private_inputs, outputs: tensors(Role::Output) }
    }
}

/// Position of the largest, the first on ties.
pub fn argmax(values: &[i64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// A name that came from a file, without what could play tricks on a terminal.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_become_reals() {
        let scores = TensorValues::new("scores", &[1, 3], 2, &[-6, 5, 5]);
        assert_eq!((&scores.values[..], scores.argmax), (&[-1.5, 1.25, 1.25][..], 1));
        assert_eq!(scores.to_string(), "\"scores\" [1, 3]: -1.5000  1.2500  1.2500\n  largest: position 1, 1.2500");
        let one = TensorValues::new("class\x1b[2J", &[], -1, &[7]);
        assert_eq!(one.to_string(), "\"class\u{fffd}[2J\" []: 14.0000");
        let none = TensorValues::new("none", &[0], 0, &[]);
        assert_eq!(none.to_string(), "\"none\" [0]: ");
        assert!(TensorValues::new("many", &[20], 0, &[0; 20]).to_string().contains('…'));
    }
}
