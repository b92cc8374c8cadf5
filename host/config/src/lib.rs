//! One policy directory → one generation.
