//! Functions of one variable that a model writes with several operators, such as `x·sigmoid(x)`: found before anything is lowered, so that
//! each is one table, which rounds once.
//!
//! A node counts if it acts on each element by itself and all that it reads is one number or goes back to one tensor. It knows the
//! graph and functions, nothing of scales.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::activation::Activation;
use super::edges::Edges;
use crate::error::ModelError;
use crate::onnx::{Graph, GraphNode};

/// Most operators in a row that are looked at: the search takes time with their square.
const DEEPEST: usize = 64;

/// An operand of a step.
#[derive(Clone, Copy)]
enum Arg {
    /// The variable, which is number 0, or the result of a step.
    Value(usize),
    Number(f64),
}

/// One operator of a function.
enum Step {
    Apply(Activation, usize),
    Combine(fn(f64, f64) -> f64, Arg, Arg),
}

/// A function of one variable, made of several operators.
pub(crate) struct Composite {
    /// What it computes, constants included.
    name: String,
    steps: Vec<Step>,
}

impl Composite {
    /// Its value at a point.
    pub fn eval(&self, x: f64) -> f64 {
        let mut values = Vec::with_capacity(self.steps.len() + 1);
        values.push(x);
        for step in &self.steps {
            let of = |arg: &Arg| match *arg {
                Arg::Value(index) => values[index],
                Arg::Number(number) => number,
            };
            values.push(match step {
                Step::Apply(activation, operand) => activation.at(values[*operand]),
                Step::Combine(function, a, b) => function(of(a), of(b)),
            });
        }
        values.last().copied().unwrap_or(x)
    }

    /// Its operators in order, each with what it is of.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A function that several nodes of the graph compute.
pub(crate) struct Group<'g> {
    /// The tensor that it is of.
    pub variable: &'g str,
    /// The nodes that compute it, by place.
    pub nodes: BTreeSet<usize>,
    pub function: Rc<Composite>,
    /// The tensor that it gives.
    pub result: &'g str,
}

/// The functions of a graph, of none of the nodes that are `taken`; no node is in two of them.
pub(crate) fn find<'g>(
    graph: &'g Graph,
    edges: &Edges<'g>,
    taken: HashSet<usize>,
) -> Result<Vec<Group<'g>>, ModelError> {
    let mut search = Search::new(graph, edges, taken)?;
    let mut groups = Vec::new();
    for last in (0..graph.nodes.len()).rev() {
        if let Some(group) = search.ending_with(last)? {
            search.taken.extend(&group.nodes);
            groups.push(group);
        }
    }
    Ok(groups)
}

struct Search<'g, 'e> {
    graph: &'g Graph,
    edges: &'e Edges<'g>,
    /// For each node that counts, the nearest tensor that all it reads goes back to.
    roots: HashMap<usize, &'g str>,
    taken: HashSet<usize>,
}

impl<'g, 'e> Search<'g, 'e> {
    fn new(graph: &'g Graph, edges: &'e Edges<'g>, taken: HashSet<usize>) -> Result<Self, ModelError> {
        let mut search = Self { graph, edges, roots: HashMap::new(), taken };
        for (index, node) in graph.nodes.iter().enumerate() {
            if let Some(root) = search.root(node)? {
                search.roots.insert(index, root);
            }
        }
        Ok(search)
    }

    /// The nearest tensor that all that `node` reads goes back to, if it counts.
    fn root(&self, node: &'g GraphNode) -> Result<Option<&'g str>, ModelError> {
        let ([output], Some(_)) = (&node.outputs[..], Kind::of(self.graph, node)?) else { return Ok(None) };
        let mut chains = Vec::new();
        for input in node.inputs.iter().filter(|name| !name.is_empty() && !self.graph.is_constant(name)) {
            if self.graph.is_integer(input) || self.graph.shape(input) != self.graph.shape(output) {
                return Ok(None);
            }
            chains.push(self.chain(input));
        }
        let Some((first, others)) = chains.split_first() else { return Ok(None) };
        Ok(first.iter().copied().find(|tensor| others.iter().all(|chain| chain.contains(tensor))))
    }

    /// A tensor, and the tensors that it is a function of, the nearest first.
    fn chain(&self, tensor: &'g str) -> Vec<&'g str> {
        let above = |tensor: &&'g str| self.roots.get(self.edges.makers.get(*tensor)?).copied();
        std::iter::successors(Some(tensor), above).take(DEEPEST).collect()
    }

    /// The largest group whose last node is this one, if a group is worth it.
    fn ending_with(&self, last: usize) -> Result<Option<Group<'g>>, ModelError> {
        if self.taken.contains(&last) || !self.roots.contains_key(&last) {
            return Ok(None);
        }
        let result = self.graph.nodes[last].outputs[0].as_str();
        for &variable in self.chain(result).iter().skip(1).rev() {
            let Some(nodes) = self.between(variable, last) else { continue };
            if let Some((variable, nodes)) = self.worthwhile(variable, nodes)? {
                let function = Rc::new(self.composite(variable, &nodes)?);
                return Ok(Some(Group { variable, nodes, function, result }));
            }
        }
        Ok(None)
    }

    /// The nodes from `variable` to `last`, if nothing else reads what is between.
    fn between(&self, variable: &str, last: usize) -> Option<BTreeSet<usize>> {
        let mut nodes = BTreeSet::from([last]);
        let mut next = vec![last];
        while let Some(index) = next.pop() {
            for input in &self.graph.nodes[index].inputs {
                if input == variable || input.is_empty() || self.graph.is_constant(input) {
                    continue;
                }
                let maker = *self.edges.makers.get(input.as_str())?;
                if nodes.insert(maker) {
                    next.push(maker);
                }
            }
        }
        let inside = |index: &usize| nodes.contains(index) && !self.taken.contains(index);
        let closed = nodes.iter().all(|&index| {
            let output = &self.graph.nodes[index].outputs[0];
            let readers = self.edges.readers.get(output.as_str());
            index == last
                || !self.graph.outputs.contains(output) && readers.is_some_and(|readers| readers.iter().all(inside))
        });
        (closed && nodes.iter().all(inside)).then_some(nodes)
    }

    /// Without what an operator before it computes at no cost; none if what is left is no better as one function.
    fn worthwhile(
        &self,
        mut variable: &'g str,
        mut nodes: BTreeSet<usize>,
    ) -> Result<Option<(&'g str, BTreeSet<usize>)>, ModelError> {
        while let &[first] = self.inside(variable, &nodes).as_slice()
            && Kind::of(self.graph, &self.graph.nodes[first])?.is_some_and(|kind| kind.is_linear())
        {
            variable = &self.graph.nodes[first].outputs[0];
            nodes.remove(&first);
        }
        let mut bent = 0;
        for &index in &nodes {
            let node = &self.graph.nodes[index];
            bent += usize::from(!Kind::of(self.graph, node)?.is_some_and(|kind| kind.is_linear()));
        }
        Ok((bent > 1).then_some((variable, nodes)))
    }

    /// Of a group's nodes those that read a tensor, once for each time.
    fn inside(&self, tensor: &str, nodes: &BTreeSet<usize>) -> Vec<usize> {
        let readers = self.edges.readers.get(tensor).into_iter().flatten();
        readers.copied().filter(|index| nodes.contains(index)).collect()
    }

    fn composite(&self, variable: &str, nodes: &BTreeSet<usize>) -> Result<Composite, ModelError> {
        let mut places: HashMap<&str, usize> = HashMap::from([(variable, 0)]);
        let mut composite = Composite { name: String::new(), steps: Vec::new() };
        let fail = || ModelError::invalid("a function of one variable has another");
        for &index in nodes {
            let node = &self.graph.nodes[index];
            let args = node.inputs.iter().map(|input| match (places.get(input.as_str()), self.graph.number(input)) {
                (Some(&place), _) => Ok(Arg::Value(place)),
                (None, Some(number)) => Ok(Arg::Number(number)),
                _ => Err(fail()),
            });
            let shown = |arg: &Arg| match arg {
                Arg::Value(place) => format!("#{place}"),
                Arg::Number(number) => format!("{number}"),
            };
            let (step, name) = match Kind::of(self.graph, node)?.ok_or_else(fail)? {
                Kind::Activation(activation) => {
                    let place = *places.get(node.inputs[0].as_str()).ok_or_else(fail)?;
                    let name = format!("{} of #{place}", activation.name());
                    (Step::Apply(activation, place), name)
                }
                Kind::Negative => {
                    let place = *places.get(node.inputs[0].as_str()).ok_or_else(fail)?;
                    (Step::Combine(|a, b| a - b, Arg::Number(0.0), Arg::Value(place)), format!("Neg of #{place}"))
                }
                Kind::Combined(function, _) => {
                    let args = args.collect::<Result<Vec<_>, _>>()?;
                    let [a, b] = args[..] else { return Err(fail()) };
                    (Step::Combine(function, a, b), format!("{} of {} and {}", node.op, shown(&a), shown(&b)))
                }
            };
            composite.steps.push(step);
            let separator = if composite.name.is_empty() { "" } else { ", " };
            composite.name += &format!("{separator}{name}");
            places.insert(&node.outputs[0], composite.steps.len());
        }
        Ok(composite)
    }
}

/// What a node that counts does.
enum Kind {
    Activation(Activation),
    Negative,
    /// Two operands, and whether it is linear in what is computed.
    Combined(fn(f64, f64) -> f64, bool),
}

impl Kind {
    fn is_linear(&self) -> bool {
        matches!(self, Self::Negative | Self::Combined(_, true))
    }

    fn of(graph: &Graph, node: &GraphNode) -> Result<Option<Self>, ModelError> {
        // Rounding to a model's own integers is what such nodes are for; operator sets before 7 broadcast in their own way.
        let own = matches!(node.op.as_str(), "QuantizeLinear" | "DequantizeLinear");
        if own || node.outputs.len() != 1 || node.proto.attribute.iter().any(|a| a.name == "axis") {
            return Ok(None);
        }
        if let Some(activation) = Activation::of(graph, node)? {
            return Ok(Some(Self::Activation(activation)));
        }
        if node.op == "Neg" {
            return Ok(Some(Self::Negative));
        }
        let [a, b] = &node.inputs[..] else { return Ok(None) };
        let constants = [a, b].map(|name| graph.is_constant(name));
        if [a, b].iter().any(|name| graph.is_constant(name) && graph.number(name).is_none_or(|x| !x.is_finite())) {
            return Ok(None);
        }
        let one = constants != [false, false];
        Ok(match node.op.as_str() {
            "Add" => Some(Self::Combined(|a, b| a + b, true)),
            "Sub" => Some(Self::Combined(|a, b| a - b, true)),
            "Mul" => Some(Self::Combined(|a, b| a * b, one)),
            "Div" => Some(Self::Combined(|a, b| a / b, constants[1])),
            "Max" => Some(Self::Combined(f64::max, false)),
            "Min" => Some(Self::Combined(f64::min, false)),
            _ => None,
        })
    }
}
