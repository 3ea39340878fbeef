//! The built-in parser.
