//! Tests of the engine from outside, over real bars.

mod bars;
mod conformance;
mod honesty;
mod invariants;
mod naive;
mod orders;
mod strategies;
