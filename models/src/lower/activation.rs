//! One-variable functions: each is one row of [`KINDS`], which has all that is known of it.

use std::rc::Rc;

use tract_onnx::prelude::Datum;

use crate::error::ModelError;
use crate::onnx::{Graph, GraphNode};

use super::functions::Composite;
use super::operands::Operands;

/// Parameters of an activation, four at most; what is not used is 0.
type Parameters = [f64; 4];

/// How large the results of an activation's table are taken to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Results {
    /// As large as the function's values for any argument.
    All,
    /// As large as calibration says, and clamped to that: the function is steep somewhere.
    Seen,
}

/// An activation function.
struct Kind {
    /// ONNX's name for the operator.
    op: &'static str,
    /// Reads its parameters.
    parameters: fn(&mut Operands) -> Result<Parameters, ModelError>,
    /// Its value at a point; where it has none, no number or none that is finite.
    eval: fn(Parameters, f64) -> f64,
    /// If it is constant (to within `2^-16`) beyond some `|x|`, that `|x|`: arguments may be clamped to it.
    settles_at: fn(Parameters) -> Option<f64>,
    /// How large its results are.
    results: Results,
}

impl Kind {
    /// One without parameters that never settles.
    const fn plain(op: &'static str, eval: fn(Parameters, f64) -> f64) -> Self {
        Self { op, parameters: none, eval, settles_at: |_| None, results: Results::All }
    }

    const fn with(self, parameters: fn(&mut Operands) -> Result<Parameters, ModelError>) -> Self {
        Self { parameters, ..self }
    }

    const fn settling(self, settles_at: fn(Parameters) -> Option<f64>) -> Self {
        Self { settles_at, ..self }
    }

    const fn steep(self) -> Self {
        Self { results: Results::Seen, ..self }
    }
}

/// All of them, in alphabetical order.
const KINDS: &[Kind] = &[
    Kind::plain("Abs", |_, x| x.abs()),
    Kind::plain("Acos", |_, x| x.acos()),
    Kind::plain("Acosh", |_, x| x.acosh()),
    Kind::plain("Asin", |_, x| x.asin()),
    Kind::plain("Asinh", |_, x| x.asinh()),
    Kind::plain("Atan", |_, x| x.atan()),
    Kind::plain("Atanh", |_, x| x.atanh()),
    Kind::plain("Ceil", |_, x| x.ceil()),
    Kind::plain("Celu", |[alpha, ..], x| if x < 0.0 { alpha * (x / alpha).exp_m1() } else { x }).with(one_alpha),
    // As ONNX says: the upper bound wins where the bounds cross.
    Kind::plain("Clip", |[lo, hi, ..], x| x.max(lo).min(hi))
        .with(clip_bounds)
        .settling(|[lo, hi, ..]| (lo.is_finite() && hi.is_finite()).then(|| lo.abs().max(hi.abs()))),
    Kind::plain("Cos", |_, x| x.cos()),
    Kind::plain("Cosh", |_, x| x.cosh()).steep(),
    Kind::plain("DequantizeLinear", dequantized).with(quantization),
    Kind::plain("Elu", |[alpha, ..], x| if x < 0.0 { alpha * x.exp_m1() } else { x }).with(one_alpha),
    Kind::plain("Erf", |_, x| libm::erf(x)).settling(|_| Some(3.9)),
    Kind::plain("Exp", |_, x| x.exp()).steep(),
    Kind::plain("Floor", |_, x| x.floor()),
    Kind::plain("Gelu", gelu).with(gelu_form),
    Kind::plain("HardSigmoid", |[alpha, beta, ..], x| (alpha * x + beta).clamp(0.0, 1.0))
        .with(|operands| {
            Ok([operands.float("alpha")?.unwrap_or(0.2), operands.float("beta")?.unwrap_or(0.5), 0.0, 0.0])
        })
        .settling(|[alpha, beta, ..]| (alpha != 0.0).then(|| (beta / alpha).abs().max(((1.0 - beta) / alpha).abs()))),
    Kind::plain("HardSwish", |_, x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
    Kind::plain("LeakyRelu", |[alpha, ..], x| if x < 0.0 { alpha * x } else { x })
        .with(|operands| Ok([operands.float("alpha")?.unwrap_or(0.01), 0.0, 0.0, 0.0])),
    Kind::plain("Log", |_, x| x.ln()),
    Kind::plain("Mish", |_, x| x * softplus(x).tanh()),
    // With the sign of what is divided.
    Kind::plain("Mod", |[divisor, ..], x| x % divisor).with(divisor),
    Kind::plain("Pow", |[exponent, ..], x| x.powf(exponent)).with(exponent).steep(),
    Kind::plain("QuantizeLinear", quantized).with(quantization).settling(quantized_to),
    Kind::plain("Reciprocal", |_, x| 1.0 / x).steep(),
    Kind::plain(RELU, |_, x| x.max(0.0)),
    Kind::plain("Round", |_, x| x.round_ties_even()),
    Kind::plain("Selu", |[alpha, gamma, ..], x| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x })
        .with(selu_factors),
    Kind::plain("Shrink", |[bias, lambd, ..], x| match x {
        x if x < -lambd => x + bias,
        x if x > lambd => x - bias,
        _ => 0.0,
    })
    .with(|operands| Ok([operands.float("bias")?.unwrap_or(0.0), operands.float("lambd")?.unwrap_or(0.5), 0.0, 0.0])),
    Kind::plain("Sigmoid", |_, x| 1.0 / (1.0 + (-x).exp())).settling(|_| Some(15.9)),
    // A zero has a sign of its own, which ONNX's does not tell.
    Kind::plain("Sign", |_, x| if x == 0.0 { 0.0 } else { x.signum() }),
    Kind::plain("Sin", |_, x| x.sin()),
    Kind::plain("Sinh", |_, x| x.sinh()).steep(),
    Kind::plain("Softplus", |_, x| softplus(x)),
    Kind::plain("Softsign", |_, x| x / (1.0 + x.abs())),
    Kind::plain("Sqrt", |_, x| x.sqrt()),
    Kind::plain("Tan", |_, x| x.tan()).steep(),
    Kind::plain("Tanh", |_, x| x.tanh()).settling(|_| Some(7.9)),
    Kind::plain("ThresholdedRelu", |[alpha, ..], x| if x > alpha { x } else { 0.0 }).with(one_alpha),
];

/// To integers and back: the scale of one and of the other, and the least and the greatest integer, less the zero point.
const REQUANTIZED: Kind = Kind::plain("QuantizeLinear and DequantizeLinear", |[scale, step, lo, hi], x| {
    (x / scale).round_ties_even().clamp(lo, hi) * step
})
.settling(|[scale, _, lo, hi]| quantized_to([scale, 0.0, lo, hi]));

/// The one that needs no table.
const RELU: &str = "Relu";

fn none(_: &mut Operands) -> Result<Parameters, ModelError> {
    Ok([0.0; 4])
}

/// A scale, a zero point, and the least and the greatest integer.
fn quantization(operands: &mut Operands) -> Result<Parameters, ModelError> {
    // Of scales and zero points along it, which are refused below.
    operands.ignore("axis");
    let scale = match operands.optional_scalar(1)? {
        Some(scale) if scale > 0.0 && scale.is_finite() => scale,
        _ => return Err(operands.refuse("operand 1", "is not positive")),
    };
    let zero = operands.optional_scalar(2)?.unwrap_or(0.0);
    let [lo, hi] = match operands.constant_type(2) {
        None => [0.0, 255.0],
        Some(kind) if kind == u8::datum_type() => [0.0, 255.0],
        Some(kind) if kind == i8::datum_type() => [-128.0, 127.0],
        Some(kind) if kind == i32::datum_type() && operands.node().op == "DequantizeLinear" => [f64::MIN, f64::MAX],
        Some(kind) => {
            return Err(operands.refuse("operand 2", format!("is of type {kind:?}; int8 and uint8 are supported")));
        }
    };
    Ok([scale, zero, lo, hi])
}

fn quantized([scale, zero, lo, hi]: Parameters, x: f64) -> f64 {
    ((x / scale).round_ties_even() + zero).clamp(lo, hi)
}

fn dequantized([scale, zero, ..]: Parameters, q: f64) -> f64 {
    (q - zero) * scale
}

/// Where the last integers are reached.
fn quantized_to([scale, zero, lo, hi]: Parameters) -> Option<f64> {
    Some(scale * ((lo - zero).abs().max((hi - zero).abs()) + 1.0))
}

/// `alpha`, which is 1 if it is not given.
fn one_alpha(operands: &mut Operands) -> Result<Parameters, ModelError> {
    match operands.float("alpha")?.unwrap_or(1.0) {
        0.0 => Err(operands.refuse("alpha", "is zero")),
        alpha => Ok([alpha, 0.0, 0.0, 0.0]),
    }
}

/// As the standard has them, to the last digit of a float.
fn selu_factors(operands: &mut Operands) -> Result<Parameters, ModelError> {
    let alpha = operands.float("alpha")?.unwrap_or(1.673_263_192_176_818_8);
    Ok([alpha, operands.float("gamma")?.unwrap_or(1.050_701_022_148_132_3), 0.0, 0.0])
}

/// Whether the approximation by a hyperbolic tangent is wanted, as 1.
fn gelu_form(operands: &mut Operands) -> Result<Parameters, ModelError> {
    match operands.string("approximate")?.as_deref() {
        None | Some("none") => Ok([0.0; 4]),
        Some("tanh") => Ok([1.0, 0.0, 0.0, 0.0]),
        Some(other) => Err(operands.refuse("approximate", format!("\"{other}\" is not known"))),
    }
}

fn gelu([approximate, ..]: Parameters, x: f64) -> f64 {
    if approximate == 0.0 {
        return 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    }
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// A divisor, one number for all elements.
fn divisor(operands: &mut Operands) -> Result<Parameters, ModelError> {
    if operands.int("fmod")?.unwrap_or(0) == 0 {
        return Err(operands.refuse("fmod", "is zero"));
    }
    match operands.optional_scalar(1)? {
        Some(divisor) if divisor != 0.0 && divisor.is_finite() => Ok([divisor, 0.0, 0.0, 0.0]),
        _ => Err(operands.refuse("operand 1", "is no number other than zero")),
    }
}

/// A power's exponent, one number for all elements.
fn exponent(operands: &mut Operands) -> Result<Parameters, ModelError> {
    match operands.optional_scalar(1)? {
        Some(exponent) if exponent.is_finite() => Ok([exponent, 0.0, 0.0, 0.0]),
        Some(_) => Err(operands.refuse("operand 1", "is not finite")),
        None => Err(operands.refuse("operand 1", "is missing")),
    }
}

/// Attributes in older operator sets, operands since.
fn clip_bounds(operands: &mut Operands) -> Result<Parameters, ModelError> {
    let mut bound = |position: usize, name: &str, open: f64| {
        let attribute = operands.float(name)?;
        let operand = operands.optional_scalar(position)?;
        Ok::<f64, ModelError>(operand.or(attribute).unwrap_or(open))
    };
    let (lo, hi) = (bound(1, "min", f64::NEG_INFINITY)?, bound(2, "max", f64::INFINITY)?);
    if lo.is_nan() || hi.is_nan() {
        return Err(operands.refuse("min/max", "a bound is NaN"));
    }
    Ok([lo, hi, 0.0, 0.0])
}

/// The operators that are activations, in alphabetical order.
pub(crate) fn operators() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.op)
}

/// An activation function with its parameters, or one that is made of several operators.
#[derive(Clone)]
pub(crate) enum Activation {
    Own(Own),
    Composite(Rc<Composite>),
}

/// A row of [`KINDS`].
#[derive(Clone, Copy)]
pub(crate) struct Own {
    kind: &'static Kind,
    parameters: Parameters,
}

impl Activation {
    /// The activation that `node` applies to its first operand, if it is one.
    pub fn of(graph: &Graph, node: &GraphNode) -> Result<Option<Self>, ModelError> {
        let Some(kind) = KINDS.iter().find(|kind| kind.op == node.op) else { return Ok(None) };
        let mut operands = Operands::new(graph, node);
        let parameters = (kind.parameters)(&mut operands)?;
        operands.finish()?;
        Ok(Some(Self::Own(Own { kind, parameters })))
    }

    /// Together with the activation behind it, where one takes to integers and the other back from the same.
    pub fn joined(&self, behind: &Self) -> Option<Self> {
        let (Self::Own(own), Self::Own(behind)) = (self, behind) else { return None };
        let ([scale, zero, lo, hi], [step, others @ ..]) = (own.parameters, behind.parameters);
        let fit = own.kind.op == "QuantizeLinear" && behind.kind.op == "DequantizeLinear" && others == [zero, lo, hi];
        let parameters = [scale, step, lo - zero, hi - zero];
        fit.then_some(Self::Own(Own { kind: &REQUANTIZED, parameters }))
    }

    /// Whether it is the ReLU, for which fixed point has a function of its own.
    pub fn is_relu(&self) -> bool {
        matches!(self, Self::Own(own) if own.kind.op == RELU)
    }

    /// Its value at a point; where it has none, no number or none that is finite.
    pub fn at(&self, x: f64) -> f64 {
        match self {
            Self::Own(own) => (own.kind.eval)(own.parameters, x),
            Self::Composite(composite) => composite.eval(x),
        }
    }

    /// Its values at `count` points from `first` on, `step` apart. Where it has none, that of the nearest point where it has one.
    pub fn values(&self, first: f64, step: f64, count: usize) -> Vec<f64> {
        let at = |i: usize| self.at(first + i as f64 * step);
        let mut values: Vec<f64> = (0..count).map(at).collect();
        let defined: Vec<usize> = (0..count).filter(|&i| values[i].is_finite()).collect();
        for i in 0..count {
            let behind = defined.partition_point(|&d| d < i);
            let nearest = defined[behind.saturating_sub(1)..].iter().take(2).min_by_key(|d| d.abs_diff(i));
            if let Some(&nearest) = nearest.filter(|_| !values[i].is_finite()) {
                values[i] = values[nearest];
            }
        }
        values
    }

    /// Whether results are only as large as calibration says.
    pub fn is_steep(&self) -> bool {
        match self {
            Self::Own(own) => own.kind.results == Results::Seen,
            Self::Composite(_) => true,
        }
    }

    /// If it is constant (to within `2^-16`) beyond some `|x|`, that `|x|`: arguments may be clamped to it.
    pub fn settles_at(&self) -> Option<f64> {
        match self {
            Self::Own(own) => (own.kind.settles_at)(own.parameters),
            // See [`Self::constant_beyond`].
            Self::Composite(_) => None,
        }
    }

    /// If it rounds to steps of `2^-k`, `k`.
    pub fn steps(&self) -> Option<i32> {
        let Self::Own(own) = self else { return None };
        let rounds = ["QuantizeLinear", REQUANTIZED.op].contains(&own.kind.op);
        let exponent = own.parameters[0].log2();
        (rounds && exponent.fract() == 0.0 && exponent.abs() < 64.0).then_some(-exponent as i32)
    }

    /// Whether it is the square.
    pub fn is_square(&self) -> bool {
        matches!(self, Self::Own(own) if own.kind.op == "Pow" && own.parameters[0] == 2.0)
    }

    /// Whether it rises wherever it does not stay, and so fast at zero that arguments of 16 bits, `step` apart, lose much of it there.
    pub fn is_steep_at_zero(&self, step: f64) -> bool {
        /// What one step near zero may change, in parts of what all steps do.
        const MOST: f64 = 1.0 / 1024.0;
        let values = self.values(0.0, step, 1 << 15);
        let largest = values.windows(2).take(4).fold(0.0f64, |most, pair| most.max(pair[1] - pair[0]));
        self.rises(step) && largest > MOST * (values[values.len() - 1] - values[0])
    }

    /// Whether it never falls, from zero on over arguments of 16 bits that are `step` apart.
    pub fn rises(&self, step: f64) -> bool {
        self.values(0.0, step, 1 << 15).windows(2).all(|pair| pair[0] <= pair[1])
    }

    /// Whether several operators compute it.
    pub fn is_composite(&self) -> bool {
        matches!(self, Self::Composite(_))
    }

    /// The least powers of two such that it is constant (to within `2^-17`) below minus the first and above the second, if there are such.
    pub fn constant_beyond(&self) -> [Option<f64>; 2] {
        /// Octaves of `|x|` that are looked at, and points in each.
        const OCTAVES: std::ops::Range<i32> = -8..24;
        const POINTS: i32 = 64;
        [-1.0, 1.0].map(|side: f64| {
            let end = self.at(side * f64::from(OCTAVES.end).exp2());
            let settled = |x: f64| (self.at(side * x) - end).abs() <= f64::from(-17).exp2();
            let constant = |octave: &i32| {
                (0..POINTS).all(|i| settled((f64::from(*octave) + f64::from(i) / f64::from(POINTS)).exp2()))
            };
            let count = OCTAVES.rev().take_while(constant).count();
            // Fewer tell too little.
            (count > 4).then(|| f64::from(OCTAVES.end - count as i32).exp2())
        })
    }

    /// A name for its table, parameters included.
    pub fn name(&self) -> String {
        let own = match self {
            Self::Own(own) => own,
            Self::Composite(composite) => return composite.name().to_string(),
        };
        // Not of those that none has.
        let given = own.parameters.iter().rposition(|parameter| *parameter != 0.0).map_or(0, |last| (last + 1).max(2));
        let given: String = own.parameters[..given].iter().map(|parameter| format!(" {parameter}")).collect();
        format!("{}{given}", own.kind.op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(op: &str, parameters: Parameters, first: f64, count: usize) -> Vec<f64> {
        let kind = KINDS.iter().find(|kind| kind.op == op).unwrap();
        Activation::Own(Own { kind, parameters }).values(first, 1.0, count)
    }

    #[test]
    fn undefined_values_are_their_neighbours() {
        assert_eq!(values("Log", [0.0; 4], -3.0, 6), [0.0, 0.0, 0.0, 0.0, 0.0, 2f64.ln()]);
        assert_eq!(values("Sqrt", [0.0; 4], -2.0, 4), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(values("Reciprocal", [0.0; 4], -2.0, 5), [-0.5, -1.0, -1.0, 1.0, 0.5]);
        assert_eq!(values("Pow", [0.5, 0.0, 0.0, 0.0], -1.0, 3), [0.0, 0.0, 1.0]);
        assert_eq!(values("Pow", [3.0, 0.0, 0.0, 0.0], -2.0, 4), [-8.0, -1.0, 0.0, 1.0]);
    }

    #[test]
    fn operators_are_in_alphabetical_order_and_have_one_row() {
        assert!(KINDS.windows(2).all(|pair| pair[0].op < pair[1].op));
    }

    #[test]
    fn both_forms_of_gelu_are_close() {
        for x in [-3.0, -0.5, 0.0, 0.7, 2.5] {
            assert!((gelu([0.0; 4], x) - gelu([1.0, 0.0, 0.0, 0.0], x)).abs() < 1e-3);
        }
        assert_eq!(gelu([0.0; 4], 0.0), 0.0);
    }

    #[test]
    fn quantization_is_onnxs() {
        // Ties go to the even integer, before the zero point is added.
        let of = [0.5, 3.0, 0.0, 255.0];
        let found: Vec<f64> = [-10.0, -1.5, -0.25, 0.25, 0.75, 1.0, 200.0].map(|x| quantized(of, x)).to_vec();
        assert_eq!(found, [0.0, 0.0, 3.0, 3.0, 5.0, 5.0, 255.0]);
        assert_eq!([0.0, 3.0, 255.0].map(|q| dequantized(of, q)), [-1.5, 0.0, 126.0]);
        assert_eq!(quantized_to(of), Some(126.5));
        let both = Activation::Own(Own { kind: &REQUANTIZED, parameters: [0.5, 0.5, -3.0, 252.0] });
        assert_eq!(both.values(-2.0, 0.5, 6), [-1.5, -1.5, -1.0, -0.5, 0.0, 0.5]);
    }
}
