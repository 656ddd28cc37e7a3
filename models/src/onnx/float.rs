//! The float model: every named tensor's value for an input.
//!
//! Calibration and the accuracy report compare with it. It wraps tract and is the only place that runs it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::ArrayD;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::InferenceFact;

use super::graph::InputSpec;
use super::{MAX_ELEMENTS, guarded, text_of};
use crate::error::ModelError;

/// What is known of a tensor beforehand.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub shape: Vec<usize>,
    pub kind: DatumType,
}

/// A float model that gives all its intermediate tensors.
pub struct FloatModel {
    plan: Arc<TypedRunnableModel>,
    names: Vec<String>,
    facts: HashMap<String, Fact>,
    inputs: Vec<DatumType>,
}

impl FloatModel {
    /// Prepares `model` for inputs of exactly these shapes. `computed` are the tensors to give.
    pub(super) fn new(
        model: &ModelProto,
        folder: Option<&Path>,
        inputs: &[InputSpec],
        computed: Vec<String>,
    ) -> Result<Self, ModelError> {
        let fail = |reason: String| ModelError::Float { reason };
        let typed = guarded(|| {
            let onnx = onnx().with_ignore_value_info(true);
            let folder = folder.map(text_of);
            let mut parsed = onnx.parse(model, folder)?;
            let outlets = computed.iter().map(|name| parsed.outlets_by_name[name]).collect::<Vec<_>>();
            for (index, input) in inputs.iter().enumerate() {
                parsed.model.set_input_fact(index, InferenceFact::dt_shape(input.kind, input.shape.clone()))?;
            }
            parsed.model.select_output_outlets(&outlets)?;
            parsed.model.into_typed()
        })
        .map_err(fail)?;
        let facts = facts(&typed, &computed)?;
        let inputs = inputs.iter().map(|input| input.kind).collect();
        // Optimising only makes it faster; models exist on which it fails.
        let optimized = guarded(|| typed.clone().into_optimized()?.into_runnable());
        let plan = match optimized {
            Ok(plan) => plan,
            Err(_) => guarded(|| typed.into_runnable()).map_err(fail)?,
        };
        Ok(Self { plan, names: computed, facts, inputs })
    }

    /// The tensors that [`Self::run`] gives, in its order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is known of these tensors.
    pub(super) fn facts(&self) -> &HashMap<String, Fact> {
        &self.facts
    }

    pub(super) fn run_raw(&self, inputs: &[ArrayD<f32>]) -> Result<Vec<Arc<Tensor>>, ModelError> {
        let outcome = guarded(|| {
            let values = inputs.iter().zip(&self.inputs).map(|(input, kind)| -> TractResult<TValue> {
                Ok(Tensor::from(input.clone()).cast_to_dt(*kind)?.into_owned().into())
            });
            let values = values.collect::<TractResult<TVec<TValue>>>()?;
            Ok(self.plan.run(values)?.into_iter().map(TValue::into_arc_tensor).collect())
        });
        outcome.map_err(|reason| ModelError::Float { reason })
    }

    /// The values of all tensors of [`Self::names`], as floats; non-numeric ones are empty.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the inputs.
    pub fn run(&self, inputs: &[ArrayD<f32>]) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(self.run_raw(inputs)?.iter().map(|tensor| floats(tensor).unwrap_or_default()).collect())
    }
}

/// A tensor's elements as floats, row-major.
pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    let cast = tensor.cast_to::<f32>().ok()?;
    Some(cast.to_plain_array_view::<f32>().ok()?.iter().copied().collect())
}

/// A tensor's elements as integers, row-major.
pub(super) fn integers(tensor: &Tensor) -> Option<Vec<i64>> {
    let cast = tensor.cast_to::<i64>().ok()?;
    Some(cast.to_plain_array_view::<i64>().ok()?.iter().copied().collect())
}

fn facts(model: &TypedModel, names: &[String]) -> Result<HashMap<String, Fact>, ModelError> {
    for node in model.nodes() {
        for output in &node.outputs {
            let size = output.fact.shape.as_concrete().map(|s| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d)));
            if !matches!(size, None | Some(Some(..=MAX_ELEMENTS))) {
                return Err(ModelError::invalid(format!(
                    "a result of node \"{}\" has more than {MAX_ELEMENTS} elements",
                    node.name
                )));
            }
        }
    }
    let outlets = guarded(|| model.output_outlets().map(<[OutletId]>::to_vec));
    let outlets = outlets.map_err(|reason| ModelError::Float { reason })?;
    let mut facts = HashMap::new();
    for (name, outlet) in names.iter().zip(outlets) {
        let fact = guarded(|| model.outlet_fact(outlet).cloned()).map_err(|reason| ModelError::Float { reason })?;
        let kind = fact.datum_type;
        match fact.shape.as_concrete() {
            Some(shape) => facts.insert(name.clone(), Fact { shape: shape.to_vec(), kind }),
            None => {
                return Err(ModelError::invalid(format!(
                    "the shape of tensor \"{name}\" depends on values that are only known at run time"
                )));
            }
        };
    }
    Ok(facts)
}
