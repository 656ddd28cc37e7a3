//! Calibration data and inputs: .npy, .npz and .json files, or arrays, as one list of samples.
//!
//! Files may be untrusted: sizes are checked against what the file really holds before anything is allocated.
//! Values never appear in messages.

use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::ReadNpyExt;
use serde_json::Value as Json;

use crate::error::ModelError;
use crate::onnx::{InputSpec, MAX_ELEMENTS};

/// One value for each of the model's inputs, in its order, each in the input's own shape.
pub type Sample = Vec<ArrayD<f32>>;

/// Arrays that have not been matched with a model's inputs yet.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// What they are, for messages.
    what: String,
    arrays: Vec<Named>,
}

#[derive(Clone)]
struct Named {
    name: Option<String>,
    array: ArrayD<f32>,
    /// Whether the shape says nothing: a flat list for each sample, as EZKL writes them.
    flat: bool,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be private.
        write!(f, "{:?} of shape {:?}", self.name, self.array.shape())
    }
}

impl Calibration {
    /// Reads a `.npy`, `.npz` or `.json` file; the content decides, not the name.
    ///
    /// # Errors
    ///
    /// If the file is missing, empty, cut, or of another kind, or holds values that are no finite numbers.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_path_buf(), source })?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }

    /// As [`Self::from_path`], for a file's content. `what` names it in messages.
    ///
    /// # Errors
    ///
    /// As of [`Self::from_path`].
    pub fn from_bytes(bytes: &[u8], what: &str) -> Result<Self, ModelError> {
        let fail = |reason: String| ModelError::data(what, reason);
        let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
        let arrays = if bytes.is_empty() {
            return Err(fail("the file is empty".into()));
        } else if bytes.starts_with(b"\x93NUMPY") {
            vec![Named { name: None, array: read_npy(bytes).map_err(fail)?, flat: false }]
        } else if bytes.starts_with(b"PK") {
            read_npz(bytes).map_err(fail)?
        } else if matches!(first, Some(b'{' | b'[')) {
            read_json(bytes).map_err(fail)?
        } else {
            return Err(fail("neither a .npy, a .npz nor a .json file".into()));
        };
        for named in &arrays {
            if let Some(bad) = named.array.iter().position(|x| !x.is_finite()) {
                return Err(fail(format!("element {bad} is NaN or infinite, or too large for a float")));
            }
        }
        Ok(Self { what: what.to_string(), arrays })
    }

    /// One array for a model with a single input: one sample, or several along a leading axis.
    pub fn from_array(array: ArrayD<f32>) -> Self {
        Self { what: "data".into(), arrays: vec![Named { name: None, array, flat: false }] }
    }

    /// Several arrays by the inputs' names.
    pub fn from_named(arrays: impl IntoIterator<Item = (String, ArrayD<f32>)>) -> Self {
        let arrays = arrays.into_iter().map(|(name, array)| Named { name: Some(name), array, flat: false });
        Self { what: "data".into(), arrays: arrays.collect() }
    }

    /// Matches the arrays with a model's inputs and takes them apart into samples.
    ///
    /// # Errors
    ///
    /// If an input has no array, an array does not fit, or the arrays differ in their number of samples.
    pub fn samples(&self, inputs: &[InputSpec]) -> Result<Vec<Sample>, ModelError> {
        let fail = |reason: String| Err(ModelError::data(self.what.clone(), reason));
        if self.arrays.len() != inputs.len() {
            let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
            return fail(format!(
                "{} arrays where the model has {} inputs ({}): give a .npz file or a JSON object with one entry for each",
                self.arrays.len(),
                inputs.len(),
                names.join(", ")
            ));
        }
        let mut columns = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            let by_name = self.arrays.iter().find(|a| a.name.as_deref() == Some(&input.name));
            let named = self.arrays.iter().any(|a| a.name.is_some());
            let array = match by_name {
                Some(array) => array,
                // With one input there is nothing to confuse.
                None if !named || inputs.len() == 1 => &self.arrays[index],
                None => {
                    return fail(format!("no array is named \"{}\", as the model's input is", input.name));
                }
            };
            columns.push(split(array, input).map_err(|reason| ModelError::data(self.what.clone(), reason))?);
        }
        let count = columns.first().map_or(0, Vec::len);
        if columns.iter().any(|c| c.len() != count) {
            return fail("the arrays hold different numbers of samples".into());
        }
        if count == 0 {
            return fail("it holds no samples".into());
        }
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        Ok((0..count).map(|_| columns.iter_mut().filter_map(Iterator::next).collect()).collect())
    }
}

/// The samples in one array, each in the input's shape.
fn split(named: &Named, input: &InputSpec) -> Result<Vec<ArrayD<f32>>, String> {
    let (found, wanted) = (named.array.shape(), &input.shape[..]);
    let size: usize = wanted.iter().product();
    let batched = wanted.first() == Some(&1);
    // Of a batch its samples lie along the first axis.
    let together = match (found, wanted) {
        ([all, rest @ ..], [batch, own @ ..]) if input.is_batch && rest == own => Some((*all, *batch)),
        _ => None,
    };
    let count = if found == wanted || (batched && found == &wanted[1..]) {
        1
    } else if let Some((all, batch)) = together {
        if all % batch != 0 {
            return Err(format!(
                "{all} samples for input \"{}\", of which {batch} are taken at once: give as many, or a multiple",
                input.name
            ));
        }
        all / batch
    } else if !found.is_empty() && (found[1..] == *wanted || (batched && found[1..] == wanted[1..])) {
        found[0]
    } else if named.flat && found.len() == 1 && found[0] % size == 0 {
        found[0] / size
    } else if named.flat && found.len() == 2 && found[1] == size {
        found[0]
    } else {
        return Err(format!(
            "an array of shape {found:?} does not fit input \"{}\" of shape {wanted:?}; \
             give one sample, or samples along a leading axis",
            input.name
        ));
    };
    if count == 0 {
        return Err("it holds no samples".into());
    }
    let values: Vec<f32> = named.array.iter().copied().collect();
    let samples = values.chunks(size).take(count);
    samples.map(|chunk| ArrayD::from_shape_vec(IxDyn(wanted), chunk.to_vec()).map_err(|e| e.to_string())).collect()
}

fn read_npy(bytes: &[u8]) -> Result<ArrayD<f32>, String> {
    let (shape, start) =
        npy_shape(bytes).ok_or_else(|| "the .npy header cannot be read; the file may be cut or damaged".to_string())?;
    let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MAX_ELEMENTS);
    let Some(size) = size else {
        return Err(format!("it has more than {MAX_ELEMENTS} elements"));
    };
    if size > bytes.len() - start {
        return Err("it holds fewer elements than its header says; the file is cut".into());
    }
    macro_rules! try_types {
        ($($kind:ty),*) => {
            $(if let Ok(array) = ArrayD::<$kind>::read_npy(bytes) {
                return Ok(array.mapv(|x| x as f32));
            })*
        };
    }
    try_types!(f32, f64, u8, i64, i32, i8, u16, i16, u32, u64);
    if let Ok(array) = ArrayD::<bool>::read_npy(bytes) {
        return Ok(array.mapv(|x| if x { 1.0 } else { 0.0 }));
    }
    Err("its element type is not a float, an integer or a boolean, or the file is cut or has bytes too many".into())
}

/// The shape that a `.npy` header declares, and where the data starts. Known before the library allocates by it.
fn npy_shape(bytes: &[u8]) -> Option<(Vec<usize>, usize)> {
    let long = *bytes.get(6)? > 1;
    let (len, at) = if long {
        (u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize, 12usize)
    } else {
        (u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?) as usize, 10usize)
    };
    let start = at.checked_add(len)?;
    let header = std::str::from_utf8(bytes.get(at..start)?).ok()?;
    let list = header.split_once("'shape'")?.1.split_once('(')?.1.split_once(')')?.0;
    let lens = list.split(',').map(str::trim).filter(|s| !s.is_empty());
    Some((lens.map(|s| s.parse().ok()).collect::<Option<_>>()?, start))
}

fn read_npz(bytes: &[u8]) -> Result<Vec<Named>, String> {
    let damaged = |_| "the .npz file cannot be read; it may be cut or damaged".to_string();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().trim_end_matches(".npy").to_string();
        let limit = 8 * MAX_ELEMENTS as u64 + (1 << 16);
        let mut content = Vec::new();
        // What the entry says about its size is not trusted.
        entry
            .take(limit)
            .read_to_end(&mut content)
            .map_err(|_| format!("the entry \"{name}\" cannot be read; the file may be cut or damaged"))?;
        let array = read_npy(&content).map_err(|reason| format!("entry \"{name}\": {reason}"))?;
        arrays.push(Named { name: Some(name), array, flat: false });
    }
    if arrays.is_empty() {
        return Err("the .npz file holds no arrays".into());
    }
    Ok(arrays)
}

/// `{"input_data": [[..], ..]}` (a flat or nested list for each input), `{"name": [..], ..}`, or a nested list.
fn read_json(bytes: &[u8]) -> Result<Vec<Named>, String> {
    let json: Json = serde_json::from_slice(bytes)
        .map_err(|e| format!("not valid JSON (line {}, column {}); it may be cut", e.line(), e.column()))?;
    match json {
        Json::Object(object) => {
            if let Some(Json::Array(inputs)) = object.get("input_data") {
                return inputs.iter().map(|input| json_array(None, input)).collect();
            }
            object.iter().map(|(name, value)| json_array(Some(name.clone()), value)).collect()
        }
        list => Ok(vec![json_array(None, &list)?]),
    }
}

fn json_array(name: Option<String>, json: &Json) -> Result<Named, String> {
    let mut shape = Vec::new();
    let mut level = json;
    while let Json::Array(items) = level {
        shape.push(items.len());
        match items.first() {
            Some(first) => level = first,
            None => return Err("a list in the JSON file is empty".into()),
        }
    }
    let mut values = Vec::new();
    flatten(json, &shape, &mut values)?;
    let flat = shape.len() <= 2;
    let array = ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|e| e.to_string())?;
    Ok(Named { name, array, flat })
}

fn flatten(json: &Json, shape: &[usize], values: &mut Vec<f32>) -> Result<(), String> {
    match (json, shape) {
        (Json::Array(items), [len, rest @ ..]) if items.len() == *len => {
            items.iter().try_for_each(|item| flatten(item, rest, values))
        }
        (Json::Number(number), []) => {
            values.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        (Json::Bool(value), []) => {
            values.push(if *value { 1.0 } else { 0.0 });
            Ok(())
        }
        (Json::Array(_), _) => Err("the lists in the JSON file are not all of the same length".into()),
        _ => Err("the JSON file holds something that is not a number or a list of numbers".into()),
    }
}

/// The array in a `.npy` file's content.
pub(crate) fn array_from_npy(bytes: &[u8], what: &str) -> Result<ArrayD<f32>, ModelError> {
    read_npy(bytes).map_err(|reason| ModelError::data(what, reason))
}
