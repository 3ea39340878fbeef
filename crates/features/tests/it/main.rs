//! Every feature on the bundled bars.

#[cfg(test)]
mod options;
#[cfg(test)]
mod time;
#[cfg(test)]
mod values;
