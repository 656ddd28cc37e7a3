//! Reductions and norms, by the sums that they are of.

use super::node::{Rewriting, int};
use crate::error::ModelError;

/// `Σ |x|`.
pub(super) fn sum_of_sizes(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result, along) = (node.operand(0)?, node.result(0), node.reduced()?);
    let sizes = node.compute("Abs", &[&x], "sizes", vec![]);
    node.reduce("ReduceSum", &sizes, &result, &along)
}

/// `Σ x²`.
pub(super) fn sum_of_squares(node: &mut Rewriting) -> Result<(), ModelError> {
    let result = node.result(0);
    squares(node, &result)
}

/// `√Σ x²`.
pub(super) fn euclidean(node: &mut Rewriting) -> Result<(), ModelError> {
    let (result, sum) = (node.result(0), node.tensor("sum"));
    squares(node, &sum)?;
    node.define("Sqrt", &[&sum], &result, vec![]);
    Ok(())
}

fn squares(node: &mut Rewriting, result: &str) -> Result<(), ModelError> {
    let (x, along) = (node.operand(0)?, node.reduced()?);
    let squares = node.compute("Mul", &[&x, &x], "squares", vec![]);
    node.reduce("ReduceSum", &squares, result, &along)
}

/// `ln Σ x`.
pub(super) fn logarithm(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result, sum, along) = (node.operand(0)?, node.result(0), node.tensor("sum"), node.reduced()?);
    node.reduce("ReduceSum", &x, &sum, &along)?;
    node.define("Log", &[&sum], &result, vec![]);
    Ok(())
}

/// `ln Σ eˣ`, as `m + ln Σ eˣ⁻ᵐ` with the largest of them, `m`.
pub(super) fn logarithm_of_exponentials(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result, mut along) = (node.operand(0)?, node.result(0), node.reduced()?);
    let keep = std::mem::replace(&mut along.keep, true);
    let [largest, sum] = ["largest", "sum"].map(|what| node.tensor(what));
    node.reduce("ReduceMax", &x, &largest, &along)?;
    let below = node.compute("Sub", &[&x, &largest], "below the largest", vec![]);
    let exponentials = node.compute("Exp", &[&below], "exponentials", vec![]);
    node.reduce("ReduceSum", &exponentials, &sum, &along)?;
    let logarithm = node.compute("Log", &[&sum], "logarithm", vec![]);
    if keep {
        node.define("Add", &[&logarithm, &largest], &result, vec![]);
    } else {
        let kept = node.compute("Add", &[&logarithm, &largest], "kept", vec![]);
        node.squeeze(&kept, &result, &along);
    }
    Ok(())
}

/// What is divided by its norm along an axis.
pub(super) fn normalization(node: &mut Rewriting) -> Result<(), ModelError> {
    let x = node.operand(0)?;
    let axis = node.int("axis")?.unwrap_or(-1);
    match node.int("p")?.unwrap_or(2) {
        power @ (1 | 2) => {
            by_norm(node, &x, axis, power);
            Ok(())
        }
        _ => Err(node.refuse("p", "only norms 1 and 2 are supported")),
    }
}

/// `x` divided by its norm along an axis: the sum of sizes, or the root of that of squares.
pub(super) fn by_norm(node: &mut Rewriting, x: &str, axis: i64, power: i64) {
    let result = node.result(0);
    let norm = if power == 1 {
        let sizes = node.compute("Abs", &[x], "sizes", vec![]);
        node.sum(&sizes, axis, true, "norm")
    } else {
        let squares = node.compute("Mul", &[x, x], "squares", vec![]);
        let sum = node.sum(&squares, axis, true, "sum of squares");
        node.compute("Sqrt", &[&sum], "norm", vec![])
    };
    node.define("Div", &[x, &norm], &result, vec![]);
}

/// `(x - mean) / deviation` along axes, with what ONNX's definition adds to the deviation.
pub(super) fn standardization(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result, mut along) = (node.operand(0)?, node.result(0), node.reduced()?);
    along.keep = true;
    along.or_along(&[0, 2, 3]);
    let [mean, variance] = ["mean", "variance"].map(|what| node.tensor(what));
    node.reduce("ReduceMean", &x, &mean, &along)?;
    let centred = node.compute("Sub", &[&x, &mean], "centred", vec![]);
    let squares = node.compute("Mul", &[&centred, &centred], "squares", vec![]);
    node.reduce("ReduceMean", &squares, &variance, &along)?;
    let deviation = node.compute("Sqrt", &[&variance], "deviation", vec![]);
    let least = node.numbers("least", &[], &[1e-9]);
    let divisor = node.compute("Add", &[&deviation, &least], "divisor", vec![]);
    node.define("Div", &[&centred, &divisor], &result, vec![]);
    Ok(())
}

/// Of each window the sum of sizes, or the root of that of squares.
pub(super) fn pool(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result) = (node.operand(0)?, node.result(0));
    let power = node.int("p")?.unwrap_or(2);
    let window = node.ints("kernel_shape")?;
    if window.is_empty() || window.iter().any(|len| !(1..1 << 20).contains(len)) {
        return Err(node.refuse("kernel_shape", "needs lengths"));
    }
    if node.int("ceil_mode")?.unwrap_or(0) != 0 {
        return Err(node.refuse("ceil_mode", "is not supported"));
    }
    let parts = match power {
        1 => node.compute("Abs", &[&x], "sizes", vec![]),
        2 => node.compute("Mul", &[&x, &x], "squares", vec![]),
        _ => return Err(node.refuse("p", "only norms 1 and 2 are supported")),
    };
    let mut attributes = node.hand_on();
    attributes.retain(|attribute| !["p", "ceil_mode"].contains(&attribute.name.as_str()));
    // What is padded is zero, and counts.
    attributes.push(int("count_include_pad", 1));
    let mean = node.compute("AveragePool", &[&parts], "means", attributes);
    let count = node.numbers("window", &[], &[window.iter().product::<i64>() as f32]);
    if power == 1 {
        node.define("Mul", &[&mean, &count], &result, vec![]);
        return Ok(());
    }
    let sum = node.compute("Mul", &[&mean, &count], "sums", vec![]);
    node.define("Sqrt", &[&sum], &result, vec![]);
    Ok(())
}

/// `x·sigmoid(αx)`.
pub(super) fn swish(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result) = (node.operand(0)?, node.result(0));
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let alpha = node.numbers("alpha", &[], &[alpha]);
    let scaled = node.compute("Mul", &[&x, &alpha], "scaled", vec![]);
    let share = node.compute("Sigmoid", &[&scaled], "share", vec![]);
    node.define("Mul", &[&x, &share], &result, vec![]);
    Ok(())
}

/// The position of the smallest element: of the largest of the negated.
pub(super) fn smallest(node: &mut Rewriting) -> Result<(), ModelError> {
    let (x, result) = (node.operand(0)?, node.result(0));
    let attributes = node.hand_on();
    let negated = node.compute("Neg", &[&x], "negated", vec![]);
    node.define("ArgMax", &[&negated], &result, attributes);
    Ok(())
}

/// The mean of all operands.
pub(super) fn mean(node: &mut Rewriting) -> Result<(), ModelError> {
    let (operands, result) = (node.operands(), node.result(0));
    let names: Vec<&str> = operands.iter().map(String::as_str).collect();
    let sum = node.compute("Sum", &names, "sum", vec![]);
    let share = node.numbers("share", &[], &[1.0 / names.len().max(1) as f32]);
    node.define("Mul", &[&sum, &share], &result, vec![]);
    Ok(())
}

/// The product along axes, factor by factor.
pub(super) fn product(node: &mut Rewriting, shape: &[usize], axes: &[usize], keep: bool) -> Result<(), ModelError> {
    let (mut x, result) = (node.operand(0)?, node.result(0));
    for &axis in axes {
        if shape[axis] > MAX_FACTORS {
            return Err(node.refuse("axes", format!("have more than {MAX_FACTORS} places")));
        }
        let mut factors = Vec::with_capacity(shape[axis]);
        for place in 0..shape[axis] {
            let what = format!("factor {place} along axis {axis}");
            let index = node.integers(&format!("{what}, place"), &[place as i64]);
            factors.push(node.compute("Gather", &[&x, &index], &what, vec![int("axis", axis as i64)]));
        }
        // As a tree, so that none passes through more products than there must be.
        let mut level = 0;
        while factors.len() > 1 {
            let pairs = factors.chunks(2).enumerate().map(|(i, pair)| match pair {
                [a, b] => node.compute("Mul", &[a, b], &format!("product {level} {i} along axis {axis}"), vec![]),
                _ => pair[0].clone(),
            });
            factors = pairs.collect();
            level += 1;
        }
        x = factors.swap_remove(0);
    }
    let kept = |axis: usize| if axes.contains(&axis) { keep.then_some(1) } else { Some(shape[axis] as i64) };
    let shape: Vec<i64> = (0..shape.len()).filter_map(kept).collect();
    let shape = node.integers("shape", &shape);
    node.define("Reshape", &[&x, &shape], &result, vec![]);
    Ok(())
}

/// Most factors along one axis.
const MAX_FACTORS: usize = 1 << 10;
