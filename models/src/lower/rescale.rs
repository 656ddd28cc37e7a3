//! How operators end: one rescale to 16 bits, which also applies the activation that follows.
//!
//! Before an operator builds its accumulator it asks [`Lowering::plan`] for the scale of the result; then
//! [`Lowering::finish`] appends the rescale. Scales are powers of two: calibration says how fine a result may be,
//! and where the worst case is hardly larger, a coarser scale is chosen that never saturates.

use vouch_program::interval::{Interval, rescaled};
use vouch_program::{Func, FunctionTable, NodeId, Op};

use super::activation::Activation;
use super::build::{BITS, Lowering};
use super::value::Value;
use super::wide::{Rising, STEP, by_scales};
use crate::calibrate::frac_for;
use crate::error::ModelError;

/// Most bits that a rescale drops: more cannot be proven.
pub(super) const MAX_SHIFT: i32 = 32;

/// How an operator's result will be scaled.
pub(crate) struct Plan {
    /// Scale of the rescaled accumulator, the activation's argument.
    pub frac: i32,
    /// The activation, if one follows.
    activation: Option<Activation>,
    /// The tensor that the result is, after the activation.
    tensor: String,
    /// The scale to which the accumulator tells something, if that may be finer than the result's.
    pub told: Option<i32>,
}

impl Plan {
    /// Whether what is rescaled is rounded to whole steps.
    pub fn is_stepped(&self) -> bool {
        self.activation.as_ref().is_some_and(|activation| activation.steps().is_some())
    }
}

/// An accumulator that an addition will read before it is rescaled.
pub(crate) struct Deferred {
    /// Of the tensor's shape.
    pub node: NodeId,
    pub frac: i32,
    /// The scale of the sum that it is made for.
    pub sum_frac: i32,
    /// The largest absolute real value.
    pub worst: f64,
}

/// The activation that alone reads a tensor.
struct Behind<'g> {
    /// The places of its nodes in the graph.
    nodes: Vec<usize>,
    activation: Activation,
    /// The tensor that it gives.
    result: &'g str,
}

impl<'g> Lowering<'g> {
    /// The activation that alone reads a tensor, if one does and it does not keep what it computes for a root.
    fn activation_behind(&self, tensor: &str) -> Result<Option<Behind<'g>>, ModelError> {
        let behind = self.read_alone(tensor)?;
        // A square that is summed for a root keeps all its bits.
        let kept = match &behind {
            Some(square) if square.activation.is_square() => match self.graph.shape(tensor) {
                Some(shape) => self.root_ahead(square.result, shape)?.is_some(),
                None => false,
            },
            _ => false,
        };
        Ok(behind.filter(|_| !kept))
    }

    /// The activation that alone reads a tensor.
    fn read_alone(&self, tensor: &str) -> Result<Option<Behind<'g>>, ModelError> {
        if let Some(group) = self.function_of_alone(tensor) {
            let activation = Activation::Composite(group.function.clone());
            let nodes = group.nodes.iter().copied().collect();
            return Ok(Some(Behind { nodes, activation, result: group.result }));
        }
        let Some((index, reader)) = self.sole_reader(tensor) else {
            return Ok(None);
        };
        if reader.inputs.first().is_none_or(|first| first != tensor) {
            return Ok(None);
        }
        let activation = Activation::of(self.graph, reader)?;
        Ok(activation.map(|activation| Behind { nodes: vec![index], activation, result: &reader.outputs[0] }))
    }

    /// The finest scale for `tensor`, with what is behind it, that calibration allows.
    fn calibrated_frac(&self, tensor: &str, behind: Option<&Behind>) -> i32 {
        let activation = behind.map(|behind| (&behind.activation, behind.result));
        // Nothing is between integers.
        let finest = if self.graph.is_integer(tensor) { 0 } else { i32::MAX };
        if let Some(steps) = activation.and_then(|(activation, _)| activation.steps()) {
            // What is rounded to steps is rounded once.
            return steps;
        }
        let frac = match activation {
            // Clamping far below zero changes nothing.
            Some((activation, result)) if activation.is_relu() => {
                frac_for(self.largest_seen(result) * self.options.headroom)
            }
            Some((activation, _)) if activation.settles_at().is_some() => {
                frac_for(activation.settles_at().unwrap_or_default())
            }
            Some((activation, _)) if activation.is_composite() => {
                let (lo, hi) = self.ends_seen(tensor);
                // On a side where it is constant from somewhere on, there.
                let [below, above] = activation.constant_beyond();
                let reach = |seen: f64, from: Option<f64>| from.map_or(seen, |from| from.min(seen));
                let headroom = self.options.headroom;
                frac_for(reach(-lo * headroom, below).max(reach(hi * headroom, above)))
            }
            _ => frac_for(self.largest_seen(tensor) * self.options.headroom),
        };
        frac.min(finest)
    }

    /// The activation whose result is `tensor`, with the one behind it if both take to integers and back.
    fn and_back(&mut self, activation: Activation, tensor: &str) -> Result<(Activation, String), ModelError> {
        let behind = self.activation_behind(tensor)?;
        let joined =
            behind.and_then(|behind| Some((behind.nodes, activation.joined(&behind.activation)?, behind.result)));
        Ok(match joined {
            Some((nodes, joined, result)) => {
                self.absorb_all(&nodes);
                (joined, result.to_string())
            }
            None => (activation, tensor.to_string()),
        })
    }

    /// Chooses the scale of the operator's result `tensor`, whose real values are at most `worst` in size
    /// for any declared input, and takes in the activation that follows.
    pub fn plan(&mut self, tensor: &str, worst: f64) -> Result<Plan, ModelError> {
        let behind = self.activation_behind(tensor)?;
        let wanted = self.calibrated_frac(tensor, behind.as_ref());
        let safe = frac_for(worst * 1.01);
        // Coarser integers would be others.
        let stepped = behind.as_ref().is_some_and(|behind| behind.activation.steps().is_some());
        let slack = if self.graph.is_integer(tensor) { 0 } else { self.options.slack_bits as i32 };
        let frac = if stepped || safe < wanted - slack { wanted } else { safe.min(wanted) };
        Ok(match behind {
            Some(Behind { nodes, activation, result }) => {
                self.absorb_all(&nodes);
                let (activation, tensor) = self.and_back(activation, result)?;
                Plan { frac, activation: Some(activation), tensor, told: None }
            }
            None => Plan { frac, activation: None, tensor: tensor.to_string(), told: None },
        })
    }

    /// The result of an addition of another computed tensor of the same shape, if that alone reads `tensor`.
    fn sum_of(&self, tensor: &str, shape: &[usize]) -> Option<&'g str> {
        let (_, reader) = self.sole_reader(tensor)?;
        let adds = matches!(reader.op.as_str(), "Add" | "Sub");
        let alike = |name: &String| !self.graph.is_constant(name) && self.graph.shape(name) == Some(shape);
        (adds && reader.inputs.iter().all(alike)).then_some(reader.outputs[0].as_str())
    }

    /// If an addition of another computed tensor of the same shape alone reads `tensor`: the scale of its result. Then
    /// the accumulator itself can be added, without a rescale of its own.
    pub fn sum_ahead(&self, tensor: &str, shape: &[usize]) -> Result<Option<i32>, ModelError> {
        let Some(sum) = self.sum_of(tensor, shape) else { return Ok(None) };
        let behind = self.activation_behind(sum)?;
        Ok(Some(self.calibrated_frac(sum, behind.as_ref())))
    }

    /// As [`Self::sum_ahead`], if a function of the sum alone is read that is steep at zero.
    pub fn root_ahead(&self, tensor: &str, shape: &[usize]) -> Result<Option<i32>, ModelError> {
        let Some(sum) = self.sum_of(tensor, shape) else { return Ok(None) };
        // No square is steep there: what is behind one need not be asked for.
        let Some(behind) = self.read_alone(sum)? else { return Ok(None) };
        let frac = self.calibrated_frac(sum, Some(&behind));
        Ok(behind.activation.is_steep_at_zero(f64::from(-frac).exp2()).then_some(frac))
    }

    /// Keeps an accumulator for the addition that [`Self::sum_ahead`] found.
    pub fn defer(&mut self, tensor: &str, deferred: Deferred) {
        self.deferred.insert(tensor.to_string(), deferred);
    }

    /// The accumulator that was kept for `tensor`.
    pub fn take_deferred(&mut self, tensor: &str) -> Option<Deferred> {
        self.deferred.remove(tensor)
    }

    /// The scale that an accumulator should have so that rescaling it to `plan`'s drops the usual number of bits.
    pub fn usual_frac(&self, plan: &Plan) -> i32 {
        plan.frac + self.options.shift as i32
    }

    /// As [`Self::finish`], for an accumulator whose scale was not chosen and may even be coarser than the result's.
    pub fn finish_scaled(&mut self, plan: Plan, acc: NodeId, acc_frac: i32, shape: &[usize]) -> Result<(), ModelError> {
        let missing = plan.frac - acc_frac;
        if missing <= 0 {
            return self.finish(plan, acc, acc_frac, shape);
        }
        let inner = self.program.node(acc).shape.clone();
        let terms = vec![self.scaled_identity(acc, super::linear::power_of_two(missing)?)];
        let acc = self.push(Op::Affine { terms }, &inner, plan.frac)?;
        let frac = plan.frac;
        self.finish(plan, acc, frac, shape)
    }

    /// Stores the accumulator as it is, if it fits; else as [`Self::finish_scaled`]. Its real values are at most `worst` in size.
    pub fn finish_exact(
        &mut self,
        tensor: &str,
        worst: f64,
        acc: NodeId,
        frac: i32,
        shape: &[usize],
    ) -> Result<(), ModelError> {
        if !Interval::signed(BITS).covers(self.interval(acc)) {
            let plan = self.plan(tensor, worst)?;
            return self.finish_scaled(plan, acc, frac, shape);
        }
        let inner = self.program.node(acc).shape.clone();
        let node = self.push(Op::Store { input: acc }, &inner, frac)?;
        self.define_computed(tensor, Value::stored(node, &inner, frac).reshaped(shape));
        Ok(())
    }

    /// Rescales the accumulator `acc` of scale `acc_frac`, applies the activation, and defines the result, which stands
    /// for a tensor of `shape`.
    pub fn finish(&mut self, plan: Plan, acc: NodeId, acc_frac: i32, shape: &[usize]) -> Result<(), ModelError> {
        let inner = self.program.node(acc).shape.clone();
        let usual = self.options.shift as i32;
        let mut shift = acc_frac - plan.frac;
        let mut acc = acc;
        if shift != 0 && shift < usual {
            // One number of dropped bits everywhere lets the proof share one table.
            let terms = vec![self.scaled_identity(acc, 1 << (usual - shift).min(62))];
            acc = self.push(Op::Affine { terms }, &inner, plan.frac + usual)?;
            shift = usual;
        }
        if shift > MAX_SHIFT {
            return Err(ModelError::invalid(format!(
                "node {}: the scales of its operands are too far apart for fixed point (2^{shift})",
                self.source
            )));
        }
        let shift = shift as u32;
        if let (Some(activation), Some(told)) = (&plan.activation, plan.told)
            && told - plan.frac >= STEP as i32
            && self.interval(acc).lo >= 0
            && activation.is_steep_at_zero(f64::from(-plan.frac).exp2())
            && (plan.frac..=told).step_by(STEP as usize).all(|frac| activation.rises(f64::from(-frac).exp2()))
        {
            let (node, frac) = self.rising(activation, (acc, plan.frac + shift as i32), shift, &plan.tensor)?;
            self.define_computed(&plan.tensor, Value::stored(node, &inner, frac).reshaped(shape));
            return Ok(());
        }
        self.rounded.insert(plan.tensor.clone(), plan.frac);
        let q = rescaled(self.interval(acc), shift);
        let saturate = !Interval::signed(BITS).covers(q);
        let (func, frac) = match plan.activation {
            None => (Func::Identity, plan.frac),
            Some(ref activation) if activation.is_relu() => (Func::Relu, plan.frac),
            Some(ref other) => self.table(other, plan.frac, q.clamp_to(Interval::signed(BITS)), &plan.tensor)?,
        };
        let node = self.push(Op::Apply { input: acc, shift, func, bits: BITS, saturate }, &inner, frac)?;
        let mut value = Value::stored(node, &inner, frac);
        value = value.reshaped(shape);
        self.define_computed(&plan.tensor, value);
        Ok(())
    }

    /// The value at scale 2^0, as the whole of a stored node of its shape; what is between two integers goes to the nearest.
    pub fn integers(&mut self, value: &Value) -> Result<Value, ModelError> {
        let Ok(shift) = u32::try_from(value.frac) else {
            return Err(ModelError::invalid(format!("node {}: its indices may be beyond 16 bits", self.source)));
        };
        let mut whole = value.clone();
        if shift > 0 {
            let input = self.node_of(value)?;
            let saturate = !Interval::signed(BITS).covers(rescaled(self.interval(input), shift));
            let op = Op::Apply { input, shift, func: Func::Identity, bits: BITS, saturate };
            let node = self.push(op, &value.inner, 0)?;
            whole = Value::stored(node, &value.inner, 0).reshaped(&value.shape);
        }
        let whole = self.addressed(&whole)?;
        self.materialised(&whole)
    }

    /// Applies `activation` to a stored tensor at the scale it has.
    pub fn activate(&mut self, value: &Value, activation: Activation, tensor: &str) -> Result<(), ModelError> {
        let input = self.node_of(value)?;
        let (activation, tensor) = self.and_back(activation, tensor)?;
        let plan = Plan { frac: value.frac, activation: Some(activation), tensor, told: None };
        let shape = value.shape.clone();
        self.finish(plan, input, value.frac, &shape)
    }

    /// A function that is steep at zero, of an accumulator that is never negative and of which `shift` bits would be dropped: results, and their scale.
    fn rising(
        &mut self,
        activation: &Activation,
        (acc, acc_frac): (NodeId, i32),
        shift: u32,
        tensor: &str,
    ) -> Result<(NodeId, i32), ModelError> {
        let step = f64::from(-acc_frac).exp2();
        // From zero, where it may have no value, to the largest that is not clamped.
        let lowest = activation.values(0.0, step, 4)[0];
        let highest = activation.at(f64::from(BITS as i32 - 1 + shift as i32).exp2() * step);
        let largest = lowest.abs().max(highest.abs()).min(self.largest_seen(tensor) * self.options.headroom);
        let out = frac_for(largest * (1.0 - f64::from(1 - BITS as i32).exp2()));
        let rounded = |x: f64| {
            let limit = f64::from(i16::MAX);
            (x * f64::from(out).exp2()).round().clamp(-limit - 1.0, limit) as i32
        };
        let of = |q: f64| rounded(if q < 1.0 { lowest } else { activation.at(q * step) });
        let name = format!("{} at 2^{} → 2^{}", activation.name(), -acc_frac, -out);
        let function = Rising { name, of: &of, lowest: rounded(lowest) };
        Ok((by_scales(self, acc, shift, &function, out)?, out))
    }

    /// The table of `activation` for arguments of scale `frac`, of which these are reached, and the scale of its results, which `tensor` has.
    fn table(
        &mut self,
        activation: &Activation,
        frac: i32,
        reached: Interval,
        tensor: &str,
    ) -> Result<(Func, i32), ModelError> {
        let half = 1i64 << (BITS - 1);
        let step = f64::from(-frac).exp2();
        let real = activation.values(-half as f64 * step, step, 1 << BITS);
        let reached = &real[(reached.lo + half) as usize..=(reached.hi + half) as usize];
        let mut largest = reached.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        if !largest.is_finite() || real.iter().any(|x| x.is_nan()) {
            return Err(ModelError::invalid(format!("node {}: the function has no value anywhere", self.source)));
        }
        if activation.is_steep() {
            largest = largest.min(self.largest_seen(tensor) * self.options.headroom);
        }
        // A result of exactly 1.0 may lose its last bit for twice the precision everywhere. Integers lose none, nor do whole numbers, which
        // are what further operators look for.
        let finest = if self.graph.is_integer(tensor) { 0 } else { i32::MAX };
        let whole = reached.iter().all(|x| x.fract() == 0.0);
        let lost = if whole { 0.0 } else { f64::from(1 - BITS as i32).exp2() };
        let out = frac_for(largest * (1.0 - lost)).min(finest);
        Ok((self.table_of(activation.name(), &real, frac, out), out))
    }

    /// A function's results at a given scale, for arguments of scale `frac` in 16 bits.
    pub fn function_of(
        &mut self,
        input: NodeId,
        (name, function): (&str, fn(f64) -> f64),
        frac: i32,
        out: i32,
    ) -> Result<NodeId, ModelError> {
        let func = self.function((name, function), frac, out);
        let shape = self.program.node(input).shape.clone();
        self.push(Op::Apply { input, shift: 0, func, bits: BITS, saturate: false }, &shape, out)
    }

    /// A function's table, for arguments of scale `frac` in 16 bits and results of scale `out`.
    pub fn function(&mut self, (name, function): (&str, fn(f64) -> f64), frac: i32, out: i32) -> Func {
        let half = 1i64 << (BITS - 1);
        let step = f64::from(-frac).exp2();
        let real: Vec<f64> = (-half..half).map(|z| function(z as f64 * step)).collect();
        self.table_of(name.to_string(), &real, frac, out)
    }

    /// The table of a function's values for arguments of scale `frac`, rounded at scale `out`.
    fn table_of(&mut self, function: String, real: &[f64], frac: i32, out: i32) -> Func {
        let half = 1i64 << (BITS - 1);
        let name = format!("{function} 2^{} → 2^{}", -frac, -out);
        let scale = f64::from(out).exp2();
        let limit = (half - 1) as f64;
        let values = real.iter().map(|x| (x * scale).round().clamp(-limit - 1.0, limit) as i32).collect();
        self.table_of_integers(name, values)
    }

    /// The table with this name, which says all that its values depend on.
    pub fn table_of_integers(&mut self, name: String, values: Vec<i32>) -> Func {
        if let Some(&index) = self.tables.get(&name) {
            return Func::Table(index);
        }
        let index = self.program.tables.len() as u32;
        self.program.tables.push(FunctionTable { name: name.clone(), bits: BITS, values });
        self.tables.insert(name, index);
        Func::Table(index)
    }
}
