//! Every feature on the bundled bars.

#[cfg(test)]
mod values;
