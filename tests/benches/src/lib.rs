//! Nothing: the benches of this crate stand in `benches/`, and are run by `tests/run bench`.
