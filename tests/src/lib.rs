//! The tests of the whole: the rules of the workspace (`conformance`), the five binaries against a real
//! nats-server (`e2e`), and the model of the protocol (`model`). The crate itself holds nothing.
