//! Resize: along each axis a sum with constant weights, or a choice of elements.

use vouch_program::AxisIndex;

use super::build::Lowering;
use super::gather::picked_elements;
use super::linear::Linear;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// How a place of the result is one of the operand's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    CropAndResize,
}

/// Which elements around that place count, and how much.
#[derive(Clone, Copy)]
enum Interpolation {
    Nearest(Rounding),
    Linear,
    Cubic { a: f64 },
}

#[derive(Clone, Copy)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// One axis.
struct Axis {
    from: usize,
    to: usize,
    /// How many times as long the result is.
    scale: f32,
    /// Where the crop begins and ends, as shares of the axis.
    crop: (f32, f32),
}

struct Resize {
    coordinates: Coordinates,
    interpolation: Interpolation,
    /// Weights of elements that are not there are given to the others.
    exclude_outside: bool,
    /// What stands beyond the crop, if that is where a place falls.
    extrapolation: f64,
}

pub(super) fn resize(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let coordinates = operands.string("coordinate_transformation_mode")?.unwrap_or_else(|| "half_pixel".into());
    let coordinates = match coordinates.as_str() {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_crop_and_resize" => Coordinates::CropAndResize,
        other => return Err(operands.refuse("coordinate_transformation_mode", format!("\"{other}\" is not supported"))),
    };
    let rounding = operands.string("nearest_mode")?.unwrap_or_else(|| "round_prefer_floor".into());
    let rounding = match rounding.as_str() {
        "round_prefer_floor" => Rounding::PreferFloor,
        "round_prefer_ceil" => Rounding::PreferCeil,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return Err(operands.refuse("nearest_mode", format!("\"{other}\" is not known"))),
    };
    let a = operands.float("cubic_coeff_a")?.unwrap_or(-0.75);
    let mode = operands.string("mode")?.unwrap_or_else(|| "nearest".into());
    let interpolation = match mode.as_str() {
        "nearest" => Interpolation::Nearest(rounding),
        "linear" => Interpolation::Linear,
        "cubic" => Interpolation::Cubic { a },
        other => return Err(operands.refuse("mode", format!("\"{other}\" is not known"))),
    };
    if operands.int("antialias")?.unwrap_or(0) != 0 {
        return Err(operands.refuse("antialias", "is not supported"));
    }
    let policy = operands.string("keep_aspect_ratio_policy")?.unwrap_or_else(|| "stretch".into());
    if policy != "stretch" {
        return Err(operands.refuse("keep_aspect_ratio_policy", "only \"stretch\" is supported"));
    }
    let exclude_outside = operands.int("exclude_outside")?.unwrap_or(0) != 0;
    let extrapolation = operands.float("extrapolation_value")?.unwrap_or(0.0);
    let axes = operands.ints("axes")?;
    let how = Resize { coordinates, interpolation, exclude_outside, extrapolation };
    let list = |operands: &Operands, position| -> Result<Option<Vec<f32>>, ModelError> {
        let given = operands.optional_constant(position)?.filter(|given| !given.is_empty());
        Ok(given.map(|given| given.iter().copied().collect()))
    };
    // Two operands are those of the operator set 10.
    let old = operands.node().inputs.len() == 2;
    let (region, scales) = if old { (None, list(&operands, 1)?) } else { (list(&operands, 1)?, list(&operands, 2)?) };
    operands.optional_integers(3)?;
    resized(low, operands, &how, scales, region, axes)
}

fn resized(
    low: &mut Lowering,
    operands: Operands,
    how: &Resize,
    scales: Option<Vec<f32>>,
    region: Option<Vec<f32>>,
    axes: Option<Vec<i64>>,
) -> Result<(), ModelError> {
    let x = low.value(operands.required(0)?)?;
    let tensor = operands.result()?;
    let shape = operands.shape(tensor)?;
    let rank = x.shape.len();
    let axes = match axes {
        None => (0..rank).collect(),
        Some(axes) => axes.iter().map(|&axis| operands.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    let crop = how.coordinates == Coordinates::CropAndResize;
    if crop && region.as_ref().is_none_or(|region| region.len() != 2 * axes.len()) {
        return Err(operands.refuse("operand 1", "needs where the crop begins and ends on each axis"));
    }
    if scales.as_ref().is_some_and(|scales| scales.len() != axes.len()) {
        return Err(operands.refuse("operand 2", "needs one number for each axis"));
    }
    let mut all: Vec<Axis> = x.shape.iter().zip(&shape).map(|(&from, &to)| Axis::new(from, to)).collect();
    for (i, &axis) in axes.iter().enumerate() {
        if let Some(scales) = &scales {
            all[axis].scale = scales[i];
        }
        if let Some(region) = region.as_ref().filter(|_| crop) {
            all[axis].crop = (region[i], region[axes.len() + i]);
        }
    }
    // Where ONNX's text and its reference implementation differ, runtimes do.
    let is_by_length = matches!(how.coordinates, Coordinates::AlignCorners | Coordinates::CropAndResize);
    if is_by_length && scales.is_some() && all.iter().any(|axis| axis.scale * axis.from as f32 != axis.to as f32) {
        return Err(operands.refuse("operand 2", "needs scales that give whole lengths; give the lengths instead"));
    }
    let is_cubic = matches!(how.interpolation, Interpolation::Cubic { .. });
    let is_halved = how.coordinates == Coordinates::PytorchHalfPixel && is_cubic;
    if is_halved && all.iter().any(|axis| axis.to == 1 && axis.from > 1) {
        return Err(operands.refuse("operand 2", "makes an axis a single element, whose place ONNX leaves open"));
    }
    operands.finish()?;
    let mut x = low.addressed(&x)?;
    let changed: Vec<usize> = (0..rank).filter(|&axis| all[axis].changes(crop)).collect();
    if let Interpolation::Nearest(_) = how.interpolation
        && !changed.iter().any(|&axis| (0..all[axis].to).any(|o| all[axis].is_beyond(how, o)))
    {
        return nearest(low, &x, how, &all, tensor, &shape);
    }
    let Some((last, before)) = changed.split_last() else {
        low.define(tensor, x);
        return Ok(());
    };
    // What is between two axes is as large as the result.
    for (number, &axis) in before.iter().enumerate() {
        let name = format!("{tensor} ({number})");
        low.like(&name, tensor);
        along(low, &x, how, (axis, &all[axis]), &name)?;
        x = low.value(&name)?;
    }
    along(low, &x, how, (*last, &all[*last]), tensor)
}

/// Elements picked by position.
fn nearest(
    low: &mut Lowering,
    x: &Value,
    how: &Resize,
    axes: &[Axis],
    tensor: &str,
    shape: &[usize],
) -> Result<(), ModelError> {
    let mut positions = vec![0usize];
    for axis in axes {
        let source = |o: usize| axis.weights(how, o).first().map_or(0, |(i, _)| *i);
        positions = positions.iter().flat_map(|p| (0..axis.to).map(move |o| p * axis.from + source(o))).collect();
    }
    picked_elements(low, x, positions, tensor, shape)
}

/// A sum with constant weights along one axis.
fn along(
    low: &mut Lowering,
    x: &Value,
    how: &Resize,
    (axis, place): (usize, &Axis),
    tensor: &str,
) -> Result<(), ModelError> {
    let mut out = x.shape.clone();
    out[axis] = place.to;
    let mut vars = out.clone();
    vars.push(place.from);
    let (mut weights, mut bias) = (vec![0.0; place.to * place.from], vec![0.0; place.to]);
    for o in 0..place.to {
        if place.is_beyond(how, o) {
            bias[o] = how.extrapolation;
            continue;
        }
        for (i, weight) in place.weights(how, o) {
            weights[o * place.from + i] += weight;
        }
    }
    let mut index: Vec<AxisIndex> = (0..out.len()).map(AxisIndex::var).collect();
    index[axis] = AxisIndex::var(out.len());
    let x_view = low.view_at(x, &index)?;
    let bias_vars = vec![axis];
    let weight_vars = vec![axis, out.len()];
    let linear = Linear { out: out.clone(), vars, x, x_view, weights, weight_vars, bias, bias_vars };
    low.linear(linear, tensor, &out)
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        Self { from, to, scale: to as f32 / from as f32, crop: (0.0, 1.0) }
    }

    fn changes(&self, crop: bool) -> bool {
        self.from != self.to || self.scale != 1.0 || (crop && self.crop != (0.0, 1.0))
    }

    /// The place of result `o` on the operand's axis, in the precision of float models: where it is whole, rounding decides.
    fn place(&self, how: &Resize, o: usize) -> f32 {
        let (o, from, to) = (o as f32, self.from as f32, self.to as f32);
        match how.coordinates {
            Coordinates::HalfPixel => (o + 0.5) / self.scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                // The result's true length against that which the scale would give.
                let adjusted = to / (self.scale * from);
                from / 2.0 * (1.0 - adjusted) + (o + 0.5) / self.scale - 0.5
            }
            Coordinates::PytorchHalfPixel if self.to == 1 => 0.0,
            Coordinates::PytorchHalfPixel => (o + 0.5) / self.scale - 0.5,
            Coordinates::AlignCorners if self.to == 1 => 0.0,
            Coordinates::AlignCorners => o * (from - 1.0) / (to - 1.0),
            Coordinates::Asymmetric => o / self.scale,
            Coordinates::CropAndResize => {
                let (start, end) = self.crop;
                if self.to == 1 {
                    return 0.5 * (start + end) * (from - 1.0);
                }
                start * (from - 1.0) + o * (end - start) * (from - 1.0) / (to - 1.0)
            }
        }
    }

    /// Whether it falls outside the operand, where the extrapolation's value stands.
    fn is_beyond(&self, how: &Resize, o: usize) -> bool {
        let place = self.place(how, o);
        how.coordinates == Coordinates::CropAndResize && (place < 0.0 || place > (self.from - 1) as f32)
    }

    /// Which elements result `o` is a sum of, and their weights. Elements outside count as the outermost ones.
    fn weights(&self, how: &Resize, o: usize) -> Vec<(usize, f64)> {
        let place = f64::from(self.place(how, o));
        let last = self.from as i64 - 1;
        let clamped = |i: i64| i.clamp(0, last) as usize;
        let floor = place.floor();
        let share = place - floor;
        let floor = floor as i64;
        match how.interpolation {
            Interpolation::Nearest(rounding) => {
                let i = match rounding {
                    Rounding::Floor => floor,
                    Rounding::Ceil => place.ceil() as i64,
                    Rounding::PreferFloor => (place - 0.5).ceil() as i64,
                    Rounding::PreferCeil => (place + 0.5).floor() as i64,
                };
                vec![(clamped(i), 1.0)]
            }
            Interpolation::Linear => self.counted(how, &[(floor, 1.0 - share), (floor + 1, share)]),
            Interpolation::Cubic { a } => {
                let near = |t: f64| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
                let far = |t: f64| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
                let weights = [far(1.0 + share), near(share), near(1.0 - share), far(2.0 - share)];
                let elements: Vec<(i64, f64)> = (floor - 1..).zip(weights).collect();
                self.counted(how, &elements)
            }
        }
    }

    fn counted(&self, how: &Resize, elements: &[(i64, f64)]) -> Vec<(usize, f64)> {
        let last = self.from as i64 - 1;
        let is_there = |(i, _): &&(i64, f64)| !how.exclude_outside || (0..=last).contains(i);
        let total: f64 = elements.iter().filter(is_there).map(|(_, weight)| weight).sum();
        let share = if how.exclude_outside { total } else { 1.0 };
        elements.iter().filter(is_there).map(|(i, weight)| ((*i).clamp(0, last) as usize, weight / share)).collect()
    }
}
