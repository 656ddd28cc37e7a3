//! An architecture as people read a model: layers, inputs and outputs. Of what it says only the names in quotes are its maker's words.

use serde_json::{Value, json};
use vouch_circuits::architecture::Architecture;
use vouch_circuits::ir::{Classes, Visibility};
use vouch_program::Port;
use vouch_program::layers::{Entry, Layer, Layers, entries, layers};
use vouch_verifier::printable;

use crate::output::count;
use crate::verbs::inspect::shown;

/// Columns that a layer's words take at least.
const WORDS: usize = 44;

/// For scripts and for people. The architecture has been lowered, which checks it.
pub fn of(architecture: &Architecture) -> (Value, Vec<String>) {
    let program = architecture.outline.program();
    let Layers { layers, inputs: begun, outputs: results, complete } = layers(program);
    let entries = entries(&layers);
    let inputs = program.inputs.iter().zip(&architecture.inputs).zip(&begun);
    let inputs = inputs.map(|((port, visibility), layer)| {
        let mut value = port_of(port, *visibility);
        value["layer"] = json!(layer);
        value
    });
    let outputs = program.outputs.iter().zip(&architecture.outputs).zip(&results);
    let outputs = outputs.map(|((port, record), result)| {
        let mut value = port_of(port, record.visibility);
        value["layer"] = json!(result);
        value["classes"] = json!(record.classes != Classes::None);
        value
    });
    let parameters: usize = layers.iter().map(|layer| layer.parameters).sum();
    let value = json!({
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "parameters": parameters,
        "layers": entries,
        "complete": complete,
    });

    let mut lines = vec![format!("  the program, {} parameters in {} layers:", count(parameters), count(layers.len()))];
    for ((port, visibility), layer) in program.inputs.iter().zip(&architecture.inputs).zip(&begun) {
        lines.push(format!("  {} is #{layer}; proofs show {}", name(port), what_is_shown(*visibility)));
    }
    let width = layers.iter().map(|layer| layer.what.len()).max().unwrap_or(0).clamp(WORDS, 80);
    for entry in &entries {
        match entry {
            Entry::One(layer) => lines.push(line(layer, "", width)),
            Entry::Repeated { times, layers, parameters } => {
                lines.push(format!("  {times} times, {} parameters in all:", count(*parameters)));
                lines.extend(layers.iter().map(|layer| line(layer, "  ", width)));
            }
        }
    }
    for ((port, record), result) in program.outputs.iter().zip(&architecture.outputs).zip(&results) {
        let told = if record.classes == Classes::None { "" } else { ", which tells a class, its maker says" };
        lines.push(format!("  {} is #{result}{told}; proofs show {}", name(port), what_is_shown(record.visibility)));
    }
    if !complete {
        lines.push("  some of it is nested too deep to be told, which no model of ours is: be wary".into());
    }
    (value, lines)
}

fn port_of(port: &Port, visibility: Visibility) -> Value {
    json!({ "name": port.name, "shape": port.shape, "shown": shown(visibility) })
}

fn name(port: &Port) -> String {
    format!("{:?} {:?}", printable(&port.name), port.shape)
}

fn what_is_shown(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "its values",
        Visibility::Committed => "a commitment",
        Visibility::Private => "nothing of it",
        Visibility::Hashed => "a salted hash",
    }
}

fn line(layer: &Layer, indent: &str, width: usize) -> String {
    let Layer { number, what, reads, shape, frac, parameters, shared } = layer;
    let parameters = match (parameters, shared) {
        (0, 0) => String::new(),
        (new, 0) => format!(", {} parameters", count(*new)),
        (0, shared) => format!(", {} parameters of layers before", count(*shared)),
        (new, shared) => format!(", {} parameters and {} of layers before", count(*new), count(*shared)),
    };
    // The layer before need not be named.
    let named = |read: &usize| read + 1 == *number || what.split('#').skip(1).any(|part| begins_with(part, *read));
    let others: Vec<String> = reads.iter().filter(|read| !named(read)).map(|read| format!("#{read}")).collect();
    let others = if others.is_empty() { String::new() } else { format!(", of {}", others.join(" and ")) };
    format!("  {indent}#{number:<4} {what:width$} {shape:?} at 2^{}{parameters}{others}", -frac)
}

/// Whether the text begins with just this number.
fn begins_with(text: &str, number: usize) -> bool {
    text.bytes().take_while(u8::is_ascii_digit).count() == number.to_string().len()
        && text.starts_with(&number.to_string())
}
