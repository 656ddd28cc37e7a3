//! A proof's public values, as numbers for people and scripts.

use std::fmt;

use ark_bn254::{Fr, G1Affine};
use serde::{Serialize, Serializer};
use vouch_circuits::ir::{Classes, Role, Visibility};
use vouch_circuits::key::{Labels, PublicTensor, VerifyingKey};
use vouch_circuits::points::{encode_g1, encode_scalar};
use vouch_circuits::tensor_opening::commitment_id;

/// How many values people are shown.
const SHOWN: usize = 12;
/// Of how many rows at most each one's largest value.
const MOST_ROWS: usize = 64;
/// How many inferences a sentence tells the outputs of, at most.
const TOLD: usize = 8;

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
    /// Where columns have scales of their own: the `frac` of each place along the last axis.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub column_fracs: Vec<i32>,
    /// Of how many inferences these are the values, one behind the other.
    pub inferences: usize,
    /// For each inference the position of its largest value among its own, the first on ties.
    pub largest: Vec<usize>,
    /// For each inference its class, where the key's maker said that the values tell one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
}

/// A class that an output tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its number.
    pub number: usize,
    /// Its name, if the key has names for them.
    pub label: Option<String>,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(f, "class {}, {:?}", self.number, printable(label)),
            None => write!(f, "class {}", self.number),
        }
    }
}

impl TensorValues {
    /// From the integers of one inference, which all have the same scale.
    pub fn new(name: &str, shape: &[usize], frac: i32, integers: &[i64]) -> Self {
        Self::with_columns(name, shape, (frac, &[]), integers)
    }

    /// The values that a proof states of public tensor `index` of the key.
    pub fn of(key: &VerifyingKey, index: usize, integers: &[i64]) -> Option<Self> {
        Some(Self::of_public(key.publics.get(index)?, key.labels_of(index), integers))
    }

    fn of_public(public: &PublicTensor, labels: Option<&Labels>, integers: &[i64]) -> Self {
        let mut values = Self::with_columns(&public.name, &public.shape, (public.frac, &public.column_fracs), integers);
        values.inferences = public.inferences.max(1);
        values.largest = values.parts().map(|(integers, reals)| values.largest_of(integers, reals)).collect();
        if public.classes != Classes::None {
            let class = |(largest, (_, reals)): (&usize, (&[i64], &[f64]))| {
                let number = match reals {
                    // A class's number itself, if it is one.
                    [value] if value.fract() == 0.0 && (0.0..1e9).contains(value) => *value as usize,
                    [_] => return None,
                    _ => *largest,
                };
                Some(Class { number, label: labels.and_then(|labels| labels.name(number)).map(str::to_string) })
            };
            // All of them or none.
            let classes: Option<Vec<Class>> = values.largest.iter().zip(values.parts()).map(class).collect();
            values.classes = classes.unwrap_or_default();
        }
        values
    }

    fn with_columns(name: &str, shape: &[usize], (frac, columns): (i32, &[i32]), integers: &[i64]) -> Self {
        let frac_at = |flat: usize| columns.get(flat % columns.len().max(1)).copied().unwrap_or(frac);
        let value = |(flat, &q): (usize, &i64)| q as f64 * f64::from(-frac_at(flat)).exp2();
        let values: Vec<f64> = integers.iter().enumerate().map(value).collect();
        let mut tensor = Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            values,
            integers: integers.to_vec(),
            frac,
            column_fracs: columns.to_vec(),
            inferences: 1,
            largest: Vec::new(),
            classes: Vec::new(),
        };
        tensor.largest = vec![tensor.largest_of(&tensor.integers, &tensor.values)];
        tensor
    }

    /// The integers and the values of each inference.
    fn parts(&self) -> impl Iterator<Item = (&[i64], &[f64])> {
        let size = (self.values.len() / self.inferences.max(1)).max(1);
        self.integers.chunks(size).zip(self.values.chunks(size))
    }

    /// Position of the largest value of a part.
    fn largest_of(&self, integers: &[i64], values: &[f64]) -> usize {
        if self.column_fracs.is_empty() { argmax(integers) } else { largest(values) }
    }

    /// The name, the shape and the first values.
    pub fn line(&self) -> String {
        let mut values: Vec<_> = self.values.iter().take(SHOWN).map(|value| format!("{value:.4}")).collect();
        if self.values.len() > SHOWN {
            values.push("…".into());
        }
        format!("{:?} {:?}: {}", printable(&self.name), self.shape, values.join("  "))
    }

    /// What it says, in few words, of each inference.
    fn in_words(&self) -> String {
        if self.inferences == 1 {
            return self.part_in_words(0);
        }
        let count = self.inferences;
        if count > TOLD {
            return format!("{count} outputs");
        }
        let parts: Vec<String> = (0..count).map(|inference| self.part_in_words(inference)).collect();
        format!("{count} outputs ({})", parts.join("; "))
    }

    /// What it says of one inference: its value, its class, where its largest value is if it is one row, else its size.
    fn part_in_words(&self, inference: usize) -> String {
        let own = self.parts().nth(inference).map(|(_, values)| values).unwrap_or_default();
        let position = self.largest.get(inference).copied().unwrap_or(0);
        // The first axis of several inferences is theirs.
        let shape = self.shape.get(usize::from(self.inferences > 1)..).unwrap_or_default();
        let is_row = shape.iter().filter(|len| **len > 1).count() == 1;
        match (own, own.get(position), self.classes.get(inference)) {
            ([_], _, Some(class)) => class.to_string(),
            ([value], ..) => format!("{value}"),
            (scores, Some(largest), Some(class)) if is_row => {
                format!("{class} (largest of {}, {largest:.4})", scores.len())
            }
            (values, Some(largest), None) if is_row => {
                format!("an output with the largest of {} at position {position} ({largest:.4})", values.len())
            }
            (values, ..) => format!("{} values of shape {shape:?}", values.len()),
        }
    }
}

/// The line, and the largest value where there are several; of several rows, each one's.
impl fmt::Display for TensorValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())?;
        let row = self.shape.last().copied().unwrap_or(1);
        let rows = self.integers.len() / row.max(1);
        if row > 1 && (2..=MOST_ROWS).contains(&rows) {
            let largest: Vec<_> = if self.column_fracs.is_empty() {
                self.integers.chunks(row).map(|row| argmax(row).to_string()).collect()
            } else {
                self.values.chunks(row).map(|row| largest(row).to_string()).collect()
            };
            return write!(f, "\n  largest of each row: position {}", largest.join(", "));
        }
        let position = self.largest.first().copied().unwrap_or(0);
        match self.values.get(position) {
            Some(largest) if self.values.len() > 1 => write!(f, "\n  largest: position {position}, {largest:.4}"),
            _ => Ok(()),
        }
    }
}

/// An input or output of which a proof states a hash.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HashedTensor {
    /// Its name in the ONNX file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// The salted hash of its integers, big-endian.
    #[serde(serialize_with = "as_hex")]
    pub hash: [u8; 32],
}

/// An input or output that a proof commits to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommittedTensor {
    /// Its name in the ONNX file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// What names the commitments ([`commitment_id`]).
    #[serde(serialize_with = "as_hex")]
    pub id: [u8; 32],
    /// One commitment for each chunk of it, uncompressed.
    #[serde(serialize_with = "points_as_hex")]
    pub commitments: Vec<G1Affine>,
}

pub(crate) fn as_hex<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

fn points_as_hex<S: Serializer>(points: &[G1Affine], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(points.iter().map(|point| hex::encode(encode_g1(point))))
}

/// What a proof shows of a run: values, commitments, or that there was something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// What the model was run on, as far as it is stated.
    pub inputs: Vec<TensorValues>,
    /// What it was run on, where only a commitment is shown.
    pub committed_inputs: Vec<CommittedTensor>,
    /// What it was run on, where only a hash is shown.
    pub hashed_inputs: Vec<HashedTensor>,
    /// Names of inputs of which only the prover knows the values.
    pub private_inputs: Vec<String>,
    /// What it gave, as far as it is stated.
    pub outputs: Vec<TensorValues>,
    /// What it gave, where only a commitment is shown.
    pub committed_outputs: Vec<CommittedTensor>,
    /// What it gave, where only a hash is shown.
    pub hashed_outputs: Vec<HashedTensor>,
    /// How many inputs are public, committed, hashed and private, those of each inference counted.
    #[serde(skip)]
    counted_inputs: [usize; 4],
    /// How many outputs.
    #[serde(skip)]
    counted_outputs: [usize; 4],
}

impl Shown {
    /// From the hashed tensors' hashes and the public tensors' integers, each in the key's order, and the commitments of as many chunks as
    /// the key has.
    pub fn new(key: &VerifyingKey, hashes: &[Fr], values: &[Vec<i64>], x_commitments: &[G1Affine]) -> Self {
        let labels: Vec<Option<&Labels>> = (0..key.publics.len()).map(|index| key.labels_of(index)).collect();
        Self::of_publics(&key.publics, &labels, hashes, values, x_commitments)
    }

    /// The same, with the names of each public tensor's classes.
    pub(crate) fn of_publics(
        publics: &[PublicTensor],
        labels: &[Option<&Labels>],
        hashes: &[Fr],
        values: &[Vec<i64>],
        x_commitments: &[G1Affine],
    ) -> Self {
        let stated = |role| {
            let all = publics.iter().zip(labels).zip(values);
            let stated = all.filter(move |((public, _), _)| public.is_stated() && public.role == role);
            stated.map(|((public, labels), q)| TensorValues::of_public(public, *labels, q)).collect()
        };
        let committed = |role| {
            let committed = publics.iter().filter(move |public| public.is_committed() && public.role == role);
            let tensor = |public: &PublicTensor| {
                let commitments = x_commitments.get(public.commitments()).unwrap_or_default().to_vec();
                let id = commitment_id(&commitments);
                CommittedTensor { name: public.name.clone(), shape: public.shape.clone(), id, commitments }
            };
            committed.map(tensor).collect()
        };
        let hashed = |role| {
            let hashed = publics.iter().filter(|public| public.is_hashed()).zip(hashes);
            let tensor = |(public, hash): (&PublicTensor, &Fr)| {
                let (name, shape) = (public.name.clone(), public.shape.clone());
                HashedTensor { name, shape, hash: encode_scalar(hash) }
            };
            hashed.filter(move |(public, _)| public.role == role).map(tensor).collect()
        };
        let private = publics.iter().filter(|public| public.visibility == Visibility::Private);
        let counted = |role, visibility| {
            let alike = publics.iter().filter(move |public| public.role == role && public.visibility == visibility);
            alike.map(|public| public.inferences).sum()
        };
        let counts = |role| {
            let all = [Visibility::Public, Visibility::Committed, Visibility::Hashed, Visibility::Private];
            all.map(|visibility| counted(role, visibility))
        };
        Self {
            counted_inputs: counts(Role::Input),
            counted_outputs: counts(Role::Output),
            inputs: stated(Role::Input),
            committed_inputs: committed(Role::Input),
            hashed_inputs: hashed(Role::Input),
            private_inputs: private.map(|public| public.name.clone()).collect(),
            outputs: stated(Role::Output),
            committed_outputs: committed(Role::Output),
            hashed_outputs: hashed(Role::Output),
        }
    }

    /// What the model did: "maps a committed input to class 7 …".
    pub fn sentence(&self) -> String {
        let count = |count: usize, kind: &str| match (count, kind) {
            (0, _) => None,
            (1, kind) => Some(format!("a {kind}")),
            (count, kind) => Some(format!("{count} {kind}s")),
        };
        let [public, committed, hashed, private] = self.counted_inputs;
        let inputs = [
            count(public, "public input"),
            count(committed, "committed input"),
            count(hashed, "hashed input"),
            count(private, "private input"),
        ];
        let inputs: Vec<String> = inputs.into_iter().flatten().collect();
        let inputs = if inputs.is_empty() { "no input".to_string() } else { inputs.join(" and ") };
        let mut outputs: Vec<String> = self.outputs.iter().map(TensorValues::in_words).collect();
        let [_, committed, hashed, _] = self.counted_outputs;
        outputs.extend(count(committed, "committed output"));
        outputs.extend(count(hashed, "hashed output"));
        let outputs = if outputs.is_empty() { "no output".to_string() } else { outputs.join(" and ") };
        format!("maps {inputs} to {outputs}")
    }
}

/// A line for each input and output.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let committed = |tensor: &CommittedTensor| {
            format!("{:?} {:?}: commitment {}", printable(&tensor.name), tensor.shape, hex::encode(tensor.id))
        };
        let inputs = self.inputs.iter().map(|input| format!("on the input {}", input.line()));
        let committed_inputs =
            self.committed_inputs.iter().map(|input| format!("on the committed input {}", committed(input)));
        let hashed = |tensor: &HashedTensor| {
            format!("{:?} {:?}: hash {}", printable(&tensor.name), tensor.shape, hex::encode(tensor.hash))
        };
        let hashed_inputs = self.hashed_inputs.iter().map(|input| format!("on the hashed input {}", hashed(input)));
        let private = self.private_inputs.iter().map(|name| format!("on a private input {:?}", printable(name)));
        let outputs = self.outputs.iter().map(|output| format!("gave the output {output}"));
        let committed_outputs =
            self.committed_outputs.iter().map(|output| format!("gave the committed output {}", committed(output)));
        let hashed_outputs =
            self.hashed_outputs.iter().map(|output| format!("gave the hashed output {}", hashed(output)));
        let inputs = inputs.chain(committed_inputs).chain(hashed_inputs).chain(private);
        let lines: Vec<String> = inputs.chain(outputs).chain(committed_outputs).chain(hashed_outputs).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Position of the largest, the first on ties.
pub fn argmax(values: &[i64]) -> usize {
    values.iter().enumerate().rev().max_by_key(|(_, value)| **value).map_or(0, |(position, _)| position)
}

/// Position of the largest of real values, the first on ties.
fn largest(values: &[f64]) -> usize {
    let positions = values.iter().enumerate().rev();
    positions.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(position, _)| position)
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
        assert_eq!((&scores.values[..], &scores.largest[..]), (&[-1.5, 1.25, 1.25][..], &[1][..]));
        assert_eq!(scores.to_string(), "\"scores\" [1, 3]: -1.5000  1.2500  1.2500\n  largest: position 1, 1.2500");
        let rows = TensorValues::new("rows", &[2, 1, 3], 0, &[1, 2, 3, 6, 5, 4]);
        assert!(rows.to_string().ends_with("\n  largest of each row: position 2, 0"));
        let one = TensorValues::new("class\x1b[2J", &[], -1, &[7]);
        assert_eq!(one.to_string(), "\"class\u{fffd}[2J\" []: 14.0000");
        let none = TensorValues::new("none", &[0], 0, &[]);
        assert_eq!(none.to_string(), "\"none\" [0]: ");
        let columns = TensorValues::with_columns("row", &[2, 2], (0, &[4, -3]), &[16, 2, -32, -1]);
        assert_eq!((&columns.values[..], &columns.largest[..]), (&[1.0, 16.0, -2.0, -8.0][..], &[1][..]));
        assert!(columns.to_string().ends_with("\n  largest of each row: position 1, 0"));
        assert!(TensorValues::new("many", &[20], 0, &[0; 20]).to_string().contains('…'));
    }

    #[test]
    fn a_sentence_says_what_was_proven() {
        let public = |role, visibility, name: &str, shape: &[usize]| PublicTensor {
            role,
            visibility,
            name: name.into(),
            tensor_shape: shape.to_vec(),
            shape: shape.to_vec(),
            frac: 1,
            column_fracs: vec![],
            range: (-9, 9),
            inferences: 1,
            classes: Classes::None,
            chunks: if visibility == Visibility::Committed { (0, 1) } else { (0, 0) },
        };
        let points = [G1Affine::default()];
        let shown = |publics: &[PublicTensor], values: &[Vec<i64>]| {
            Shown::of_publics(publics, &vec![None; publics.len()], &[Fr::from(5u64)], values, &points)
        };
        let scores = public(Role::Output, Visibility::Public, "scores", &[1, 3]);
        let image = public(Role::Input, Visibility::Committed, "image", &[2, 2]);
        let one = shown(&[image.clone(), scores.clone()], &[vec![], vec![1, -3, 5]]);
        let expected = "maps a committed input to an output with the largest of 3 at position 2 (2.5000)";
        assert_eq!(one.sentence(), expected);
        let told = |classes, labels, shape: &[usize], integers: &[i64]| {
            let inferences = integers.len() / shape.iter().skip(1).product::<usize>();
            let shape = shape.to_vec();
            let public = PublicTensor { classes, inferences, tensor_shape: shape.clone(), shape, ..scores.clone() };
            let image = PublicTensor { inferences, ..image.clone() };
            let values = [vec![], integers.to_vec()];
            Shown::of_publics(&[image, public], &[None, labels], &[], &values, &points).sentence()
        };
        let scores_of = |classes, labels| told(classes, labels, &[1, 3], &[1, -3, 5]);
        let labels = Labels(["ant", "bee", "cat\n"].map(String::from).to_vec());
        let numbered = Classes::Numbered;
        assert_eq!(scores_of(numbered, None), "maps a committed input to class 2 (largest of 3, 2.5000)");
        let named = scores_of(Classes::Named([0; 32]), Some(&labels));
        assert_eq!(named, "maps a committed input to class 2, \"cat\u{fffd}\" (largest of 3, 2.5000)");
        // A class's number itself; and what is none.
        assert_eq!(told(numbered, Some(&labels), &[1, 1], &[2]), "maps a committed input to class 1, \"bee\"");
        assert_eq!(told(numbered, Some(&labels), &[1, 1], &[1]), "maps a committed input to 0.5");
        assert_eq!(told(numbered, None, &[1, 1], &[-2]), "maps a committed input to -1");
        // Several inferences, of one value and of one row each.
        let prices = told(Classes::None, None, &[3, 1], &[3, 4, 6]);
        assert_eq!(prices, "maps 3 committed inputs to 3 outputs (1.5; 2; 3)");
        let rows = told(numbered, None, &[2, 3], &[1, -3, 5, 8, 0, 0]);
        let expected = "2 outputs (class 2 (largest of 3, 2.5000); class 0 (largest of 3, 4.0000))";
        assert_eq!(rows, format!("maps 2 committed inputs to {expected}"));
        assert_eq!(told(Classes::None, None, &[9, 1], &[0; 9]), "maps 9 committed inputs to 9 outputs");
        assert!(one.to_string().contains(&hex::encode(commitment_id(&points))));
        let hidden = public(Role::Input, Visibility::Private, "seed", &[1]);
        let price = public(Role::Output, Visibility::Public, "price", &[1]);
        let mask = public(Role::Output, Visibility::Public, "mask", &[2, 2]);
        let two = [image.clone(), image, hidden, price, mask];
        let values = [vec![], vec![], vec![], vec![3], vec![0; 4]];
        let expected = "maps 2 committed inputs and a private input to 1.5 and 4 values of shape [2, 2]";
        assert_eq!(shown(&two, &values).sentence(), expected);
        let embedding = public(Role::Output, Visibility::Committed, "embedding", &[3]);
        assert_eq!(shown(&[embedding], &[vec![]]).sentence(), "maps no input to a committed output");
        let seed = public(Role::Input, Visibility::Hashed, "seed", &[3]);
        let hashed = shown(&[seed], &[vec![]]);
        assert_eq!(hashed.sentence(), "maps a hashed input to no output");
        assert_eq!(hashed.to_string(), format!("on the hashed input \"seed\" [3]: hash {:064x}", 5));
    }
}
