//! Einsum: sums of products over named axes, which is what the program's contraction is.

use vouch_program::{AxisIndex, Op};

use super::build::Lowering;
use super::linear::Linear;
use super::operand::Operand;
use super::operands::Operands;
use super::value::Value;
use crate::error::ModelError;

/// What names an axis: a letter, or the place, counted from the last, of one that dots stand for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Label {
    Letter(char),
    Dots(usize),
}

/// The labels of each operand's axes, and of the result's.
#[derive(PartialEq, Debug)]
struct Equation {
    operands: Vec<Vec<Label>>,
    result: Vec<Label>,
}

impl Equation {
    /// `None` if it is none for operands of these ranks.
    fn parse(text: &str, ranks: &[usize]) -> Option<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            return None;
        }
        let operands = terms.iter().zip(ranks).map(|(term, &rank)| labels(term, Some(rank)));
        let operands = operands.collect::<Option<Vec<_>>>()?;
        let dots = operands.iter().flatten().filter_map(|label| match label {
            Label::Dots(place) => Some(place + 1),
            Label::Letter(_) => None,
        });
        let dots = dots.max().unwrap_or(0);
        let result = match right {
            Some(term) if term.contains("...") => labels(term, Some(term.len() - 3 + dots))?,
            Some(term) => labels(term, None)?,
            // All dots, then the letters that stand once, in alphabetical order.
            None => {
                let all: Vec<Label> = operands.iter().flatten().copied().collect();
                let once = |label: &&Label| all.iter().filter(|other| other == label).count() == 1;
                let letter = |label: &Label| match label {
                    Label::Letter(letter) => Some(*letter),
                    Label::Dots(_) => None,
                };
                let mut letters: Vec<char> = all.iter().filter(once).filter_map(letter).collect();
                letters.sort_unstable();
                (0..dots).rev().map(Label::Dots).chain(letters.into_iter().map(Label::Letter)).collect()
            }
        };
        let known = |label: &Label| operands.iter().flatten().any(|other| other == label);
        let twice = (1..result.len()).any(|i| result[..i].contains(&result[i]));
        (result.iter().all(known) && !twice).then_some(Self { operands, result })
    }
}

/// One term's labels; dots stand for as many axes as the rank leaves.
fn labels(term: &str, rank: Option<usize>) -> Option<Vec<Label>> {
    let letters = |text: &str| {
        let valid = text.chars().all(|c| c.is_ascii_alphabetic());
        valid.then(|| text.chars().map(Label::Letter).collect::<Vec<_>>())
    };
    let Some((front, back)) = term.split_once("...") else {
        return letters(term).filter(|found| rank.is_none_or(|rank| rank == found.len()));
    };
    let (front, back) = (letters(front)?, letters(back)?);
    let dots = rank?.checked_sub(front.len() + back.len())?;
    Some([front, (0..dots).rev().map(Label::Dots).collect(), back].concat())
}

pub(super) fn einsum(low: &mut Lowering, mut operands: Operands) -> Result<(), ModelError> {
    let text = operands.string("equation")?.ok_or_else(|| operands.refuse("equation", "is missing"))?;
    let tensor = operands.result()?;
    let given = (0..operands.node().inputs.len()).map(|position| Operand::read(low, &operands, position));
    let given = given.collect::<Result<Vec<_>, _>>()?;
    if given.len() > 2 {
        return Err(operands.refuse("operand 2", "sums of products of two are supported; write more as several"));
    }
    let ranks: Vec<usize> = given.iter().map(|operand| operand.shape().len()).collect();
    let equation = Equation::parse(&text, &ranks);
    let equation = equation.ok_or_else(|| operands.refuse("equation", format!("\"{text}\" does not fit")))?;
    // The result's axes first, as everywhere; then those that are summed over.
    let mut names = equation.result.clone();
    for label in equation.operands.iter().flatten() {
        if !names.contains(label) {
            names.push(*label);
        }
    }
    let mut vars = vec![1; names.len()];
    for (labels, operand) in equation.operands.iter().zip(&given) {
        if (1..labels.len()).any(|i| labels[..i].contains(&labels[i])) {
            return Err(operands.refuse("equation", "diagonals, of a letter that stands twice, are not supported"));
        }
        for (label, &len) in labels.iter().zip(operand.shape()) {
            let var = names.iter().position(|name| name == label).unwrap_or_default();
            if vars[var] != len && vars[var] != 1 && len != 1 {
                return Err(operands.refuse("equation", format!("an axis has {len} and {} places", vars[var])));
            }
            vars[var] = vars[var].max(len);
        }
    }
    operands.finish()?;
    let shape = vars[..equation.result.len()].to_vec();
    let place = |label: &Label| names.iter().position(|name| name == label).unwrap_or_default();
    let index = |position: usize, shape: &[usize]| -> Vec<AxisIndex> {
        let axes = equation.operands[position].iter().zip(shape);
        axes.map(|(label, &len)| if len == 1 { AxisIndex::fixed(0) } else { AxisIndex::var(place(label)) }).collect()
    };
    let mut computed = Vec::new();
    let mut constant = None;
    for (position, operand) in given.into_iter().enumerate() {
        match operand {
            Operand::Constant(array) => constant = Some((position, array)),
            Operand::Computed(value) => {
                let value = low.addressed(&value)?;
                let view = low.view_at(&value, &index(position, &value.shape))?;
                computed.push((value, view));
            }
        }
    }
    match (&computed[..], constant) {
        ([(x, view)], Some((position, array))) => {
            // Weights' axes in the order of the variables, without those of one place.
            let labels = &equation.operands[position];
            let mut axes: Vec<usize> = (0..labels.len()).filter(|&axis| array.shape()[axis] > 1).collect();
            axes.sort_unstable_by_key(|&axis| place(&labels[axis]));
            let weight_vars = axes.iter().map(|&axis| place(&labels[axis])).collect();
            let ones = (0..labels.len()).filter(|axis| !axes.contains(axis));
            let order: Vec<usize> = axes.iter().copied().chain(ones).collect();
            let weights = array.permuted_axes(order).iter().map(|&w| f64::from(w)).collect();
            let (bias, bias_vars) = (Vec::new(), Vec::new());
            let (out, x_view) = (shape.clone(), view.clone());
            low.linear(Linear { out, vars, x, x_view, weights, weight_vars, bias, bias_vars }, tensor, &shape)
        }
        ([(a, a_view), (b, b_view)], None) => {
            low.bilinear((a, a_view.clone()), (b, b_view.clone()), &shape, vars, tensor, &shape)
        }
        ([(x, view)], None) if vars.len() == shape.len() => {
            low.define(tensor, Value { shape: shape.clone(), inner: shape, view: view.clone(), frac: x.frac });
            Ok(())
        }
        ([(x, view)], None) => {
            let (lo, hi) = low.real_range(x);
            let summed: usize = vars[shape.len()..].iter().product();
            let plan = low.plan(tensor, lo.abs().max(hi.abs()) * summed as f64)?;
            let acc = low.push(Op::Contract { vars, lhs: view.clone(), rhs: None }, &shape, x.frac)?;
            low.finish_scaled(plan, acc, x.frac, &shape)
        }
        _ => Err(ModelError::invalid(format!("tensor \"{tensor}\" is constant but was not folded"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Label::{Dots, Letter};

    #[test]
    fn equations_name_axes() {
        let found = Equation::parse("b h i d, bhjd -> bhij", &[4, 4]).unwrap();
        let letters = |text: &str| text.chars().map(Letter).collect::<Vec<_>>();
        assert_eq!(found, Equation { operands: vec![letters("bhid"), letters("bhjd")], result: letters("bhij") });
        // Without a result's names: what stands once, in alphabetical order.
        assert_eq!(Equation::parse("kj,ik", &[2, 2]).unwrap().result, letters("ij"));
        // Dots stand for what is left, and are aligned at the end.
        let found = Equation::parse("...ij,jk->...ik", &[4, 2]).unwrap();
        assert_eq!(found.operands[0], [Dots(1), Dots(0), Letter('i'), Letter('j')]);
        assert_eq!(found.result, [Dots(1), Dots(0), Letter('i'), Letter('k')]);
        assert_eq!(Equation::parse("i...->...", &[3]).unwrap().result, [Dots(1), Dots(0)]);
        assert_eq!(Equation::parse("...i,i...", &[2, 2]).unwrap().result, [Dots(0)]);
    }

    #[test]
    fn what_is_no_equation_is_refused() {
        let wrong: [(&str, &[usize]); 7] = [
            ("ij,jk->ik", &[2]),
            ("ij->ijk", &[2]),
            ("ij->i", &[3]),
            ("i1->i", &[2]),
            ("ij->ii", &[2]),
            ("i...j->...", &[1]),
            ("ij->...", &[2]),
        ];
        for (text, ranks) in wrong {
            let found = Equation::parse(text, ranks);
            // Dots may stand for nothing at all.
            if text == "ij->..." { assert_eq!(found.unwrap().result, []) } else { assert_eq!(found, None, "{text}") }
        }
    }
}
