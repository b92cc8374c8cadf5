//! The milter protocol (version 6): an MTA asks, the policy answers.
