//! Language models over HTTP, against a server on this machine. Nothing here reaches another machine.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod models;
#[cfg(test)]
mod server;
