//! Trials on bundled data, from the request to the verdict, over a store in memory.

#[cfg(test)]
mod engine;
#[cfg(test)]
mod honesty;
#[cfg(test)]
mod indicators;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod results;
#[cfg(test)]
mod support;
#[cfg(test)]
mod warm;
