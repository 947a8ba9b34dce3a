//! The binary's answers to its arguments and to a configuration that it refuses.

use testkit::binary::Binary;

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_context-builder"),
};

#[test]
fn help_names_the_keys_with_their_bounds() {
    BINARY.assert_help_names(&[
        "context-builder: decides",
        "NATS_URL",
        "READINESS_GRACE",
        "DRAIN_DEADLINE",
        "1 to 4096",
    ]);
}

#[test]
fn the_configuration_is_printed_without_passwords() {
    BINARY.assert_prints_configuration();
}

#[test]
fn a_bad_configuration_is_refused_with_every_error_at_once() {
    BINARY.assert_refuses(&[
        ("CONCURRENCY", "0"),
        ("NATS_ACK_WAIT", "500ms"),
        ("DRAIN_DEADLINE", "soon"),
        ("ADMIN_LISTEN", "here"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "bus=loud"),
    ]);
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    BINARY.assert_knows_its_arguments("context-builder", env!("CARGO_PKG_VERSION"));
}
