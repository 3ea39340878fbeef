//! Tests of the engine from outside, over real bars.

#[cfg(test)]
mod bars;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod honesty;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod strategies;
#[cfg(test)]
mod walk_forward;
