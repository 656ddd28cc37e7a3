//! Support vector machines of `ai.onnx.ml`: a kernel of the row and each support vector, and weighted sums of these.
//!
//! As libsvm has them, which they are exported from: a classifier has one sum for each pair of classes, and the class that wins most pairs.

use super::coupling::{MOST_CLASSES, couple, of_pairs};
use super::node::{Rewriting, int};
use super::tables::Classes;
use crate::error::ModelError;
use crate::onnx::MAX_ELEMENTS;

/// `Σ coefficient·kernel(x, vector) + rho`.
pub(super) fn regressor(node: &mut Rewriting) -> Result<(), ModelError> {
    no_ending(node)?;
    if node.int("one_class")?.unwrap_or(0) != 0 {
        return Err(node.refuse("one_class", "not supported"));
    }
    let (count, coefficients, rho) = (node.int("n_supports")?, node.floats("coefficients")?, node.floats("rho")?);
    let [rho] = rho[..] else { return Err(node.refuse("rho", "needs one number")) };
    if coefficients.is_empty() || count.unwrap_or(0) != coefficients.len() as i64 {
        return Err(node.refuse("n_supports", "needs a coefficient for each vector, and one vector at least"));
    }
    let kernel = kernel(node, coefficients.len())?;
    let coefficients = node.numbers("coefficients", &[coefficients.len(), 1], &coefficients);
    let sum = node.compute("MatMul", &[&kernel, &coefficients], "sum", vec![]);
    let (rho, result) = (node.numbers("rho", &[1], &[rho]), node.result(0));
    node.define("Add", &[&sum, &rho], &result, vec![]);
    Ok(())
}

/// The class that wins most pairs, the first of those that win as many; and the pairs' sums, or the classes' probabilities.
pub(super) fn classifier(node: &mut Rewriting) -> Result<(), ModelError> {
    no_ending(node)?;
    let classes = Classes::of(node, "classlabels_ints")?;
    let (sizes, coefficients, rho) =
        (node.ints("vectors_per_class")?, node.floats("coefficients")?, node.floats("rho")?);
    let probabilities = (node.floats("prob_a")?, node.floats("prob_b")?);
    let sizes: Option<Vec<usize>> = sizes.into_iter().map(|size| usize::try_from(size).ok()).collect();
    let sizes = sizes.filter(|sizes| sizes.len() == classes.count && sizes.iter().all(|&size| size < MAX_ELEMENTS));
    let sizes = sizes.ok_or_else(|| node.refuse("vectors_per_class", "needs as many numbers as there are classes"))?;
    let (vectors, pairs) = (sizes.iter().sum::<usize>(), classes.count * (classes.count - 1) / 2);
    if coefficients.is_empty() || coefficients.len() != (classes.count - 1) * vectors || rho.len() != pairs {
        return Err(
            node.refuse("coefficients", "needs one for each vector and each class but one, and a rho for each pair")
        );
    }
    if vectors.checked_mul(pairs).is_none_or(|elements| elements > MAX_ELEMENTS) {
        return Err(node.refuse("classlabels", "are too many for so many vectors"));
    }
    // Class i against class j > i: the coefficients of i's vectors against j, those of j's against i.
    let starts: Vec<usize> = sizes.iter().scan(0, |end, size| Some(std::mem::replace(end, *end + size))).collect();
    let mut weights = vec![0.0; vectors * pairs];
    let mut votes = vec![0.0; pairs * classes.count];
    let mut won_else = vec![0.0; classes.count];
    for (pair, (i, j)) in of_pairs(classes.count).enumerate() {
        for (own, other) in [(i, j - 1), (j, i)] {
            for vector in starts[own]..starts[own] + sizes[own] {
                weights[vector * pairs + pair] = coefficients[other * vectors + vector];
            }
        }
        votes[pair * classes.count + i] = 1.0;
        votes[pair * classes.count + j] = -1.0;
        won_else[j] += 1.0;
    }
    let kernel = kernel(node, vectors)?;
    let weights = node.numbers("coefficients", &[vectors, pairs], &weights);
    let sums = node.compute("MatMul", &[&kernel, &weights], "sums", vec![]);
    let rho = node.numbers("rho", &[pairs], &rho);
    let sums = node.compute("Add", &[&sums, &rho], "pairs", vec![]);

    let zero = node.numbers("zero", &[], &[0.0]);
    let wins = node.compute("Greater", &[&sums, &zero], "first wins", vec![]);
    let wins = node.numbers_of(&wins, "first wins as a number");
    let votes = node.numbers("votes", &[pairs, classes.count], &votes);
    let won = node.compute("MatMul", &[&wins, &votes], "votes of firsts", vec![]);
    let won_else = node.numbers("votes of seconds", &[classes.count], &won_else);
    let won = node.compute("Add", &[&won, &won_else], "votes in all", vec![]);
    let class = node.compute("ArgMax", &[&won], "class", vec![int("axis", -1), int("keepdims", 0)]);
    classes.label(node, &class);
    let result = node.result(1);
    match (&probabilities.0[..], &probabilities.1[..], classes.count) {
        ([], [], 2) => {
            let both = node.numbers("both", &[1, 2], &[-1.0, 1.0]);
            node.define("MatMul", &[&sums, &both], &result, vec![]);
        }
        ([], [], _) => node.define("Identity", &[&sums], &result, vec![]),
        // Of the first class 1 / (1 + exp(a·sum + b)).
        (&[a], &[b], 2) => {
            let slopes = node.numbers("slopes", &[1, 2], &[-a, a]);
            let shifts = node.numbers("shifts", &[2], &[-b, b]);
            let both = node.compute("MatMul", &[&sums, &slopes], "sloped", vec![]);
            let both = node.compute("Add", &[&both, &shifts], "shifted", vec![]);
            node.define("Sigmoid", &[&both], &result, vec![]);
        }
        (a, b, count) if a.len() == pairs && b.len() == pairs && count <= MOST_CLASSES => {
            let [a, b] = [a, b].map(|list| list.iter().map(|x| -x).collect::<Vec<_>>());
            let slopes = node.numbers("slopes", &[pairs], &a);
            let shifts = node.numbers("shifts", &[pairs], &b);
            let sloped = node.compute("Mul", &[&sums, &slopes], "sloped", vec![]);
            let shifted = node.compute("Add", &[&sloped, &shifts], "shifted", vec![]);
            let of_pairs = node.compute("Sigmoid", &[&shifted], "probabilities of pairs", vec![]);
            couple(node, &of_pairs, count, &result);
        }
        (a, b, count) if a.len() == pairs && b.len() == pairs => {
            let reason = format!(
                "probabilities of {count} classes are not supported, only of up to {MOST_CLASSES}; export without"
            );
            return Err(node.refuse("prob_a", reason));
        }
        _ => return Err(node.refuse("prob_a", "needs a number for each pair of classes, and prob_b one")),
    }
    Ok(())
}

fn no_ending(node: &mut Rewriting) -> Result<(), ModelError> {
    match node.string("post_transform")?.as_deref() {
        None | Some("NONE") => Ok(()),
        Some(other) => Err(node.refuse("post_transform", format!("\"{other}\" is not supported"))),
    }
}

/// The kernel of each row and each of the vectors, of shape `[rows, vectors]`.
fn kernel(node: &mut Rewriting, count: usize) -> Result<String, ModelError> {
    let (kind, parameters) = (node.string("kernel_type")?, node.floats("kernel_params")?);
    let vectors = node.floats("support_vectors")?;
    let columns = vectors.len() / count;
    if columns == 0 || columns * count != vectors.len() {
        return Err(node.refuse("support_vectors", "needs as many numbers for each vector"));
    }
    let [gamma, coef0, degree] = match (&parameters[..], kind.as_deref()) {
        (&[gamma, coef0, degree], _) => [gamma, coef0, degree],
        (_, None | Some("LINEAR")) => [0.0; 3],
        _ => return Err(node.refuse("kernel_params", "needs three numbers")),
    };
    let x = node.floats_of_operand()?;
    // Products with each vector, times a number.
    let products = |node: &mut Rewriting, factor: f32| {
        let turned: Vec<f32> = (0..columns)
            .flat_map(|c| (0..count).map(move |v| (v, c)))
            .map(|(v, c)| factor * vectors[v * columns + c])
            .collect();
        let turned = node.numbers("vectors", &[columns, count], &turned);
        node.compute("MatMul", &[&x, &turned], "products", vec![])
    };
    let shifted = |node: &mut Rewriting, products: &str| {
        let shift = node.numbers("shift", &[1], &[coef0]);
        node.compute("Add", &[products, &shift], "shifted products", vec![])
    };
    Ok(match kind.as_deref() {
        None | Some("LINEAR") => products(node, 1.0),
        Some("POLY") => {
            let products = products(node, gamma);
            let base = shifted(node, &products);
            let degree = node.numbers("degree", &[], &[degree]);
            node.compute("Pow", &[&base, &degree], "kernel", vec![])
        }
        Some("SIGMOID") => {
            let products = products(node, gamma);
            let argument = shifted(node, &products);
            node.compute("Tanh", &[&argument], "kernel", vec![])
        }
        // -γ·|x - v|² = 2γ·x·v - γ·|v|² - γ·|x|²
        Some("RBF") => {
            let products = products(node, 2.0 * gamma);
            let sizes: Vec<f32> =
                vectors.chunks(columns).map(|v| -gamma * v.iter().map(|x| x * x).sum::<f32>()).collect();
            let sizes = node.numbers("sizes of vectors", &[count], &sizes);
            let near = node.compute("Add", &[&products, &sizes], "products less sizes", vec![]);
            let squares = node.compute("Mul", &[&x, &x], "squares", vec![]);
            let each = node.numbers("of each vector", &[columns, count], &vec![-gamma; columns * count]);
            let own = node.compute("MatMul", &[&squares, &each], "size", vec![]);
            let argument = node.compute("Add", &[&near, &own], "distance", vec![]);
            node.compute("Exp", &[&argument], "kernel", vec![])
        }
        Some(other) => return Err(node.refuse("kernel_type", format!("\"{other}\" is not supported"))),
    })
}
