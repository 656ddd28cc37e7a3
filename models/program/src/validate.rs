//! Every structural rule of a program that the other modules rely on, checked once.
//!
//! A program that passes can be analysed, executed and lowered without an index out of bounds or an
//! overflow in index arithmetic. Safe on untrusted programs: no panic, no allocation beyond
//! the size of the program itself, time linear in it.
//!
//! It knows nothing about values: whether sums stay in range is [`crate::interval`]'s question.

use crate::error::{Place, Problem, ProgramError};
use crate::program::*;

/// Most axes that a node can have.
pub const MAX_RANK: usize = 8;
/// Most index variables of a [`Op::Contract`].
pub const MAX_VARS: usize = 16;
/// Most elements of a node, longest axis, and longest index variable.
pub const MAX_ELEMENTS: usize = 1 << 31;
/// Most products that a [`Op::Contract`] sums, over all its results.
pub const MAX_PRODUCTS: u64 = 1 << 40;
/// Largest coefficient and offset of an [`AxisIndex`], by absolute value: with variables below
/// [`MAX_ELEMENTS`], two terms and an offset stay below `2^63`.
pub const MAX_INDEX_COEF: i64 = 1 << 31;
/// Largest `frac`, by absolute value: real values stay within what `f64` can hold.
pub const MAX_FRAC: i32 = 256;
/// Largest `shift` of [`Op::Apply`].
pub const MAX_SHIFT: u32 = 40;
/// Largest `shift` of [`Op::Divide`].
pub const MAX_QUOTIENT_SHIFT: u32 = 24;
/// Narrowest declared range, sign included.
pub const MIN_BITS: u32 = 2;
/// Widest domain of a function, sign included.
pub const MAX_BITS: u32 = 16;
/// Widest declared range of an input, sign included: more than a function's, for indices of long tables.
pub const MAX_INPUT_BITS: u32 = 24;

const MAX_TERMS: usize = 2;

/// Checks every structural rule of `program`. May be called on untrusted programs.
///
/// # Errors
///
/// The first rule that is broken, with the node, table or port that breaks it.
pub fn validate(program: &Program) -> Result<(), ProgramError> {
    validate_with(program, Weights::Present)
}

/// Whether the weights of a program are there.
#[derive(Clone, Copy)]
pub(crate) enum Weights {
    /// One integer for each element.
    Present,
    /// None at all: the program is an [outline](crate::Outline).
    Absent,
}

/// [`validate`], for programs with weights or without.
pub(crate) fn validate_with(program: &Program, weights: Weights) -> Result<(), ProgramError> {
    for (index, table) in program.tables.iter().enumerate() {
        let fail = |problem| Place::Table { index, name: table.name.clone() }.error(problem);
        check_bits(table.bits, MAX_BITS).map_err(fail)?;
        let expected = 1 << table.bits;
        if table.values.len() != expected {
            return Err(fail(Problem::DataLength { expected, found: table.values.len() }));
        }
    }
    for (index, node) in program.nodes.iter().enumerate() {
        check_node(&program.nodes[..index], &program.tables, node, weights)
            .map_err(|problem| node_place(index, node).error(problem))?;
    }
    if program.batch == 0 {
        return Err(Place::Program.error(Problem::EmptyBatch));
    }
    check_ports(program)
}

/// Checks `node` as the one at position `index` of `program`, of which it reads only the tables and
/// the nodes before `index`; those must have been checked. For programs that are still being
/// built, where `node` is not in the list yet.
///
/// # Errors
///
/// The first rule that is broken.
pub fn validate_node(program: &Program, index: usize, node: &Node) -> Result<(), ProgramError> {
    let earlier = &program.nodes[..index.min(program.nodes.len())];
    check_node(earlier, &program.tables, node, Weights::Present)
        .map_err(|problem| node_place(index, node).error(problem))
}

/// Node `index` as the place of an error.
pub(crate) fn node_place(index: usize, node: &Node) -> Place {
    Place::Node { index, origin: node.source.clone() }
}

fn check_ports(program: &Program) -> Result<(), ProgramError> {
    let mut named = vec![false; program.nodes.len()];
    for (index, port) in program.inputs.iter().enumerate() {
        let fail = |problem| Place::Input { index, name: port.name.clone() }.error(problem);
        let node = check_port(program, port, port.shape.last().copied().unwrap_or(1)).map_err(fail)?;
        if !matches!(node.op, Op::Input { .. }) {
            return Err(fail(Problem::NotAnInput { node: port.node }));
        }
        if std::mem::replace(&mut named[port.node.index()], true) {
            return Err(fail(Problem::InputTwice { node: port.node }));
        }
    }
    for (index, node) in program.nodes.iter().enumerate() {
        if matches!(node.op, Op::Input { .. }) && !named[index] {
            return Err(node_place(index, node).error(Problem::UnnamedInput));
        }
    }
    for (index, port) in program.outputs.iter().enumerate() {
        let fail = |problem| Place::Output { index, name: port.name.clone() }.error(problem);
        let node = check_port(program, port, 0).map_err(fail)?;
        if !node.op.is_stored() {
            return Err(fail(Problem::VirtualOutput { node: port.node }));
        }
    }
    if program.outputs.is_empty() {
        return Err(Place::Program.error(Problem::NoOutputs));
    }
    Ok(())
}

/// `columns` may have scales of their own.
fn check_port<'p>(program: &'p Program, port: &Port, columns: usize) -> Result<&'p Node, Problem> {
    let node = program.nodes.get(port.node.index()).ok_or(Problem::NoSuchNode { node: port.node })?;
    let expected = node.len();
    if checked_product(&port.shape) != Some(expected) {
        return Err(Problem::PortShape { expected, shape: port.shape.clone() });
    }
    if port.integer && node.frac != 0 {
        return Err(Problem::PortFrac { frac: node.frac });
    }
    let fits = |frac: &i32| frac.unsigned_abs() <= MAX_FRAC.unsigned_abs();
    let given = &port.column_fracs;
    if !given.is_empty() && (port.integer || given.len() != columns || !given.iter().all(fits)) {
        return Err(Problem::PortColumns { columns, given: given.len() });
    }
    Ok(node)
}

fn check_node(earlier: &[Node], tables: &[FunctionTable], node: &Node, weights: Weights) -> Result<(), Problem> {
    check_shape(&node.shape)?;
    if node.frac.unsigned_abs() > MAX_FRAC.unsigned_abs() {
        return Err(Problem::Frac { frac: node.frac, limit: MAX_FRAC });
    }
    match &node.op {
        Op::Input { bits } => check_bits(*bits, MAX_INPUT_BITS),
        Op::Weight { data } => {
            let expected = match weights {
                Weights::Present => node.len(),
                Weights::Absent => 0,
            };
            match data.len() {
                found if found == expected => Ok(()),
                found => Err(Problem::DataLength { expected, found }),
            }
        }
        Op::Contract { vars, lhs, rhs } => check_contract(earlier, node, vars, lhs, rhs.as_ref()),
        Op::Affine { terms } => terms.iter().try_for_each(|term| check_term(earlier, node, term)),
        Op::Apply { input, shift, func, bits, saturate: _ } => {
            same_shape(earlier, *input, node)?;
            check_bits(*bits, MAX_BITS)?;
            if *shift > MAX_SHIFT {
                return Err(Problem::Shift { shift: *shift, limit: MAX_SHIFT });
            }
            check_func(tables, *func, *bits)
        }
        Op::Max { lhs, rhs } => {
            same_shape(earlier, *lhs, node)?;
            same_shape(earlier, *rhs, node)
        }
        Op::Store { input } => same_shape(earlier, *input, node),
        Op::Gather { input, index } => {
            let len = stored(earlier, *input)?.len();
            if index.len() != node.len() {
                return Err(Problem::IndexCount { expected: node.len(), found: index.len() });
            }
            match index.iter().position(|&i| i as usize >= len) {
                Some(at) => Err(Problem::IndexRange { at, index: index[at], len }),
                None => Ok(()),
            }
        }
        Op::Pick { rows, index, shared } => {
            check_pick((*rows, stored(earlier, *rows)?), (*index, stored(earlier, *index)?), *shared, node)
        }
        Op::Divide { num, den, shift } => {
            stored(earlier, *num)?;
            same_shape(earlier, *num, node)?;
            if *shift > MAX_QUOTIENT_SHIFT {
                return Err(Problem::Shift { shift: *shift, limit: MAX_QUOTIENT_SHIFT });
            }
            check_divisor(stored(earlier, den.node)?, den, node)?;
            check_view(earlier, den, node.shape.len())
        }
        Op::ArgMax { input, axis } => check_arg_max(stored(earlier, *input)?, *axis, node),
    }
}

fn check_shape(shape: &[usize]) -> Result<(), Problem> {
    if shape.len() > MAX_RANK {
        return Err(Problem::Rank { rank: shape.len(), limit: MAX_RANK });
    }
    if let Some(axis) = shape.iter().position(|&len| len == 0) {
        return Err(Problem::ZeroAxis { axis });
    }
    match checked_product(shape) {
        Some(len) if len <= MAX_ELEMENTS => Ok(()),
        _ => Err(Problem::TooManyElements { limit: MAX_ELEMENTS }),
    }
}

fn checked_product(lengths: &[usize]) -> Option<usize> {
    lengths.iter().try_fold(1usize, |product, &len| product.checked_mul(len))
}

fn check_bits(bits: u32, max: u32) -> Result<(), Problem> {
    if (MIN_BITS..=max).contains(&bits) { Ok(()) } else { Err(Problem::Bits { bits, min: MIN_BITS, max }) }
}

fn check_func(tables: &[FunctionTable], func: Func, bits: u32) -> Result<(), Problem> {
    let Func::Table(index) = func else {
        return Ok(());
    };
    match tables.get(index as usize) {
        None => Err(Problem::TableIndex { table: index, tables: tables.len() }),
        Some(table) if table.bits != bits => Err(Problem::TableBits { expected: bits, found: table.bits }),
        Some(_) => Ok(()),
    }
}

fn check_contract(
    earlier: &[Node],
    node: &Node,
    vars: &[usize],
    lhs: &View,
    rhs: Option<&View>,
) -> Result<(), Problem> {
    if vars.len() > MAX_VARS {
        return Err(Problem::TooManyVars { vars: vars.len(), limit: MAX_VARS });
    }
    if !vars.starts_with(&node.shape) {
        let found = vars[..vars.len().min(node.shape.len())].to_vec();
        return Err(Problem::OutputVars { expected: node.shape.clone(), found });
    }
    if let Some(var) = vars.iter().position(|&len| len == 0 || len > MAX_ELEMENTS) {
        return Err(Problem::VarLength { var, limit: MAX_ELEMENTS });
    }
    match checked_product(vars) {
        Some(products) if products as u64 <= MAX_PRODUCTS => {}
        _ => {
            return Err(Problem::TooManyProducts { limit: MAX_PRODUCTS });
        }
    }
    let mut used = [false; MAX_VARS];
    for view in std::iter::once(lhs).chain(rhs) {
        stored(earlier, view.node)?;
        check_view(earlier, view, vars.len())?;
        view.vars().for_each(|var| used[var] = true);
    }
    match (node.shape.len()..vars.len()).find(|&var| !used[var]) {
        Some(var) => Err(Problem::UnusedVar { var }),
        None => Ok(()),
    }
}

/// Checks what does not depend on whether the node that is read is stored. `vars <= MAX_VARS`.
fn check_view(earlier: &[Node], view: &View, vars: usize) -> Result<(), Problem> {
    let read = view.node;
    let rank = earlier_node(earlier, read)?.shape.len();
    if view.axes.len() != rank {
        return Err(Problem::ViewRank { read, expected: rank, found: view.axes.len() });
    }
    let mut seen = [false; MAX_VARS];
    let too_large = |number: i64| number.unsigned_abs() > MAX_INDEX_COEF.unsigned_abs();
    for (axis, index) in view.axes.iter().enumerate() {
        let found = index.terms.len();
        if found > MAX_TERMS {
            return Err(Problem::ViewTerms { read, axis, found, limit: MAX_TERMS });
        }
        for &(var, coef) in &index.terms {
            if var >= vars {
                return Err(Problem::ViewVar { read, axis, var, vars });
            }
            if coef == 0 {
                return Err(Problem::ZeroCoef { read, axis });
            }
            if std::mem::replace(&mut seen[var], true) {
                return Err(Problem::VarTwice { read, var });
            }
            if too_large(coef) {
                return Err(Problem::IndexTooLarge { read, axis, limit: MAX_INDEX_COEF });
            }
        }
        if too_large(index.offset) {
            return Err(Problem::IndexTooLarge { read, axis, limit: MAX_INDEX_COEF });
        }
    }
    Ok(())
}

fn check_term(earlier: &[Node], node: &Node, term: &AffineTerm) -> Result<(), Problem> {
    match term {
        AffineTerm::Scaled { coef: _, view } => {
            check_view(earlier, view, node.shape.len())?;
            if earlier_node(earlier, view.node)?.op.is_stored() {
                return Ok(());
            }
            // A virtual tensor has no place of its own: it can only be added where it stands.
            same_shape(earlier, view.node, node)?;
            if view.is_identity() { Ok(()) } else { Err(Problem::NotIdentity { read: view.node }) }
        }
        AffineTerm::Fill { coef: _, ranges } => {
            let mut seen = [false; MAX_RANK];
            for &(var, start, end) in ranges {
                let Some(&len) = node.shape.get(var) else {
                    return Err(Problem::FillVar { var, vars: node.shape.len() });
                };
                if std::mem::replace(&mut seen[var], true) {
                    return Err(Problem::FillVarTwice { var });
                }
                if start > end || end > len {
                    return Err(Problem::FillRange { var, start, end, len });
                }
            }
            Ok(())
        }
    }
}

/// A divisor is read inside its node at every true place, and zero outside wherever an axis of the result is padded that it reads.
fn check_divisor(divisor: &Node, view: &View, node: &Node) -> Result<(), Problem> {
    let fits = |(index, &len): (&AxisIndex, &usize)| match index.terms[..] {
        [] => len == 1 && index.offset == 0,
        [(var, 1)] => index.offset == 0 && node.shape.get(var) == Some(&len),
        _ => false,
    };
    let read = view.node;
    match view.axes.iter().zip(&divisor.shape).position(|axis| !fits(axis)) {
        Some(axis) => Err(Problem::DivisorAxis { read, axis }),
        None => Ok(()),
    }
}

fn check_pick(
    (read, rows): (NodeId, &Node),
    (by, index): (NodeId, &Node),
    shared: usize,
    node: &Node,
) -> Result<(), Problem> {
    let both = [&rows.shape, &index.shape].map(|shape| shape.get(..shared));
    if both[0].is_none() || both[0] != both[1] {
        return Err(Problem::PickShared { read, by, shared });
    }
    let [_, row @ ..] = &rows.shape[shared..] else {
        return Err(Problem::PickRows { read });
    };
    let expected = [&index.shape, row].concat();
    if node.shape != expected {
        return Err(Problem::PickShape { expected, found: node.shape.clone() });
    }
    match index.frac {
        0 => Ok(()),
        frac => Err(Problem::PickFrac { read: by, frac }),
    }
}

fn check_arg_max(input: &Node, axis: usize, node: &Node) -> Result<(), Problem> {
    if axis >= input.shape.len() {
        return Err(Problem::ArgMaxAxis { axis, rank: input.shape.len() });
    }
    let mut expected = input.shape.clone();
    expected[axis] = 1;
    if node.shape != expected {
        return Err(Problem::ArgMaxShape { expected, found: node.shape.clone() });
    }
    if node.frac != 0 {
        return Err(Problem::ArgMaxFrac { frac: node.frac });
    }
    Ok(())
}

fn earlier_node(earlier: &[Node], read: NodeId) -> Result<&Node, Problem> {
    earlier.get(read.index()).ok_or(Problem::NotEarlier { read })
}

fn stored(earlier: &[Node], read: NodeId) -> Result<&Node, Problem> {
    let node = earlier_node(earlier, read)?;
    if node.op.is_stored() { Ok(node) } else { Err(Problem::ReadsVirtual { read }) }
}

fn same_shape(earlier: &[Node], read: NodeId, node: &Node) -> Result<(), Problem> {
    let found = &earlier_node(earlier, read)?.shape;
    if *found == node.shape {
        Ok(())
    } else {
        Err(Problem::ShapeMismatch { read, expected: node.shape.clone(), found: found.clone() })
    }
}
