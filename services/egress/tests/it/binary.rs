//! The binary's answers to its arguments and to a configuration that it refuses.

use testkit::binary::Binary;

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_egress"),
};

#[test]
fn help_names_the_keys_with_their_bounds() {
    BINARY.assert_help_names(&[
        "egress: sends",
        "NATS_URL",
        "OUTBOUND_ALLOW",
        "ATTACHMENTS_SECRET",
        "SEND_ATTEMPTS",
        "1 to 1000",
        "FILES_S3_BUCKET",
    ]);
}

#[test]
fn the_configuration_is_printed_without_passwords() {
    BINARY.assert_prints_configuration();
}

#[test]
fn a_bad_configuration_is_refused_with_every_error_at_once() {
    BINARY.assert_refuses(&[
        ("SEND_ATTEMPTS", "0"),
        ("OUTBOUND_ALLOW", "not a host"),
        ("ATTACHMENTS_SECRET", "hunter2"),
        ("ADMIN_LISTEN", "here"),
        ("FILES", "disk"),
        ("FILES_S3_SECRET_KEY", "hunter2"),
    ]);
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    BINARY.assert_knows_its_arguments("egress", env!("CARGO_PKG_VERSION"));
}
