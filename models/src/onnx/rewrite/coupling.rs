//! Probabilities of several classes, of those of each pair of them: the second way of Wu, Lin and Weng ("Probability estimates for multi-class
//! classification by pairwise coupling", JMLR 5, 2004, section 4), which libsvm goes by iteration, solved.
//!
//! With `r_ij` the probability of `i` where it is `i` or `j`, the classes' probabilities `p` are those for which `Σ_{i<j} (r_ji·p_i - r_ij·p_j)²`
//! is least and that sum to one. The terms are squares of products with a vector for each pair; so by the theorem of Cauchy and Binet `p` is in
//! proportion to `Σ_S (Σ_t c_S[t])·c_S` over all sets `S` of pairs, one fewer than there are classes, `c_S` being what is orthogonal to their vectors:
//!
//! - of a tree that joins the classes, the probabilities for which its pairs agree: `c_S[t]` is the product of `r_ij` over its edges, `i` the end
//!   that is nearer to `t`;
//! - of a triangle beside a class `t`, by how much its three pairs disagree: `c_S[t] = r_ij·r_jk·r_ki - r_ik·r_kj·r_ji`, and nothing else.
//!
//! Of up to four classes those are all. What is summed is positive: nothing cancels, so fixed point is as exact as its bits.

use super::node::{Rewriting, int};

/// Most classes: of more there are further sets.
pub(super) const MOST_CLASSES: usize = 4;

/// Defines `result` as the probabilities of classes, two at least; `pairs` has those of the first of each pair, in the order of [`of_pairs`].
pub(super) fn couple(node: &mut Rewriting, pairs: &str, classes: usize, result: &str) {
    let one = node.numbers("certain", &[], &[1.0]);
    let others = node.compute("Sub", &[&one, pairs], "of seconds", vec![]);
    let all = node.compute("Concat", &[pairs, &others], "of firsts and seconds", vec![int("axis", -1)]);
    let place = |i: usize, j: usize| {
        let pair = |i, j| of_pairs(classes).position(|pair| pair == (i, j)).unwrap_or_default();
        if i < j { pair(i, j) } else { of_pairs(classes).count() + pair(j, i) }
    };
    let trees = trees(classes);
    // The products of as many probabilities each, a factor of all at a time.
    let products = |node: &mut Rewriting, of: &[Vec<(usize, usize)>], what: &str| {
        let factor = |node: &mut Rewriting, at: usize| {
            let places: Vec<i64> = of.iter().map(|edges| place(edges[at].0, edges[at].1) as i64).collect();
            let places = node.integers(&format!("places of {what}, {at}"), &places);
            node.compute("Gather", &[&all, &places], &format!("{what}, {at}"), vec![int("axis", -1)])
        };
        let mut product = factor(node, 0);
        for at in 1..of[0].len() {
            let factor = factor(node, at);
            product = node.compute("Mul", &[&product, &factor], &format!("{what}, up to {at}"), vec![]);
        }
        product
    };
    let edges = trees.iter().flat_map(|tree| (0..classes).map(move |root| toward(tree, root)));
    let agreed = products(node, &edges.collect::<Vec<_>>(), "factors of trees");
    let agreed = node.reshape(&agreed, &[0, trees.len() as i64, classes as i64], "by trees and classes");
    let sums = node.sum(&agreed, 2, true, "by trees");
    let weighted = node.compute("Mul", &[&agreed, &sums], "weighted", vec![]);
    let mut shares = node.sum(&weighted, 1, false, "shares of trees");
    let triangles = triangles(classes);
    if !triangles.is_empty() {
        let [one, other] = [(0, "factors around"), (1, "factors around the other way")].map(|(way, what)| {
            let edges: Vec<Vec<(usize, usize)>> = triangles.iter().map(|ways| ways[way].to_vec()).collect();
            products(node, &edges, what)
        });
        let apart = node.compute("Sub", &[&one, &other], "disagreement", vec![]);
        let squares = node.compute("Mul", &[&apart, &apart], "squared disagreement", vec![]);
        shares = node.compute("Add", &[&shares, &squares], "shares", vec![]);
    }
    let whole = node.sum(&shares, -1, true, "all shares");
    node.define("Div", &[&shares, &whole], result, vec![]);
}

/// All pairs of classes, the smaller first, in the order in which a classifier lists them.
pub(super) fn of_pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |i| (i + 1..classes).map(move |j| (i, j)))
}

/// All trees on so many nodes, each as its edges: by Prüfer's codes.
fn trees(nodes: usize) -> Vec<Vec<(usize, usize)>> {
    let len = nodes.saturating_sub(2) as u32;
    let codes = (0..nodes.pow(len)).map(|number| (0..len).map(move |at| number / nodes.pow(at) % nodes));
    codes.map(|code| tree(nodes, &code.collect::<Vec<_>>())).collect()
}

fn tree(nodes: usize, code: &[usize]) -> Vec<(usize, usize)> {
    let mut degrees = vec![1; nodes];
    code.iter().for_each(|&node| degrees[node] += 1);
    let mut edges = Vec::with_capacity(nodes - 1);
    for &node in code {
        let leaf = degrees.iter().position(|&degree| degree == 1).unwrap_or_default();
        edges.push((leaf, node));
        degrees[leaf] = 0;
        degrees[node] -= 1;
    }
    let mut last = (0..nodes).filter(|&node| degrees[node] == 1);
    edges.extend(last.next().zip(last.next()));
    edges
}

/// The edges of a tree, the end that is nearer to a root first.
fn toward(tree: &[(usize, usize)], root: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::with_capacity(tree.len());
    let mut open = vec![(root, root)];
    while let Some((node, from)) = open.pop() {
        let ends = tree.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        for (_, to) in ends.filter(|&(end, to)| end == node && to != from) {
            found.push((node, to));
            open.push((to, node));
        }
    }
    found
}

/// For each of four classes the edges around the triangle of the others, in either way; none of fewer classes.
fn triangles(classes: usize) -> Vec<[[(usize, usize); 3]; 2]> {
    let of = |class: usize| {
        let mut others = (0..classes).filter(|&other| other != class);
        let (i, j, k) = (others.next()?, others.next()?, others.next()?);
        Some([[(i, j), (j, k), (k, i)], [(i, k), (k, j), (j, i)]])
    };
    (0..classes).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn trees_are_all_trees() {
        for nodes in 2..=MOST_CLASSES {
            let all = trees(nodes);
            let sorted =
                |tree: &[(usize, usize)]| tree.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect::<BTreeSet<_>>();
            let different: BTreeSet<_> = all.iter().map(|tree| sorted(tree)).collect();
            assert_eq!((all.len(), different.len()), (nodes.pow(nodes as u32 - 2), all.len()));
            for root in 0..nodes {
                // From each root all other nodes are reached, each once.
                let reached = |tree: &Vec<_>| toward(tree, root).into_iter().map(|(_, to)| to).collect::<BTreeSet<_>>();
                let others: BTreeSet<usize> = (0..nodes).filter(|&node| node != root).collect();
                assert!(all.iter().all(|tree| reached(tree) == others && toward(tree, root).len() == nodes - 1));
            }
        }
    }

    /// Where the pairs' probabilities come of the classes', these are found again; where they do not, what is found has the least sum of squares.
    #[test]
    fn the_formula_is_the_least_sum_of_squares() {
        let formula = |r: &dyn Fn(usize, usize) -> f64, classes: usize| -> Vec<f64> {
            let mut shares = vec![0.0; classes];
            for tree in trees(classes) {
                let agreed =
                    (0..classes).map(|root| toward(&tree, root).into_iter().map(|(i, j)| r(i, j)).product::<f64>());
                let agreed: Vec<f64> = agreed.collect();
                let sum: f64 = agreed.iter().sum();
                shares.iter_mut().zip(agreed).for_each(|(share, c)| *share += c * sum);
            }
            let around = |edges: &[(usize, usize)]| edges.iter().map(|&(i, j)| r(i, j)).product::<f64>();
            for (share, [one, other]) in shares.iter_mut().zip(triangles(classes)) {
                *share += (around(&one) - around(&other)).powi(2);
            }
            let whole: f64 = shares.iter().sum();
            shares.into_iter().map(|share| share / whole).collect()
        };
        for classes in 2..=MOST_CLASSES {
            let p: Vec<f64> = (0..classes).map(|i| (i + 1) as f64 / (classes * (classes + 1) / 2) as f64).collect();
            let found = formula(&|i, j| p[i] / (p[i] + p[j]), classes);
            assert!(p.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");

            let first = |i: usize, j: usize| 0.05 + 0.9 * ((i * 7 + j * 3) % 11) as f64 / 10.0;
            let r = |i: usize, j: usize| if i < j { first(i, j) } else { 1.0 - first(j, i) };
            let squares =
                |p: &[f64]| -> f64 { of_pairs(classes).map(|(i, j)| (r(j, i) * p[i] - r(i, j) * p[j]).powi(2)).sum() };
            let found = formula(&r, classes);
            for (from, to) in of_pairs(classes) {
                for step in [1e-4, -1e-4] {
                    let mut other = found.clone();
                    (other[from], other[to]) = (other[from] - step, other[to] + step);
                    assert!(squares(&other) > squares(&found), "{classes} classes: {found:?}");
                }
            }
        }
    }
}
