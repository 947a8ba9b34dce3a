//! The binary's answers to its arguments and to a configuration that it refuses.

use testkit::binary::Binary;

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_console"),
};

#[test]
fn help_names_the_keys() {
    BINARY.assert_help_names(&[
        "console: the admin API",
        "NATS_URL",
        "HTTP_LISTEN",
        "CONSOLE_OPERATOR_TOKEN",
        "CONSOLE_VIEWER_TOKEN",
    ]);
}

#[test]
fn the_configuration_is_printed_without_passwords() {
    BINARY.assert_prints_configuration();
}

#[test]
fn a_bad_configuration_is_refused_with_every_error_at_once() {
    BINARY.assert_refuses(&[
        ("HTTP_LISTEN", "here"),
        ("CONSOLE_OPERATOR_TOKEN", "env:FIRST,hunter2"),
        ("CONSOLE_VIEWER_TOKEN", "hunter2"),
        ("CONSOLE_REQUESTS_PER_SECOND", "0"),
        ("CONSOLE_SECRETS", "env:FIRST,hunter2"),
        ("INGRESS_URL", "here"),
        ("CONSOLE_PLAYGROUND_SECRET", "hunter2"),
        ("INGRESS_PUBLIC_URL", "ftp://bot.example.com"),
        ("CONSOLE_CLIENT_ADDRESS_HEADER", "x forwarded for"),
    ]);
    BINARY.assert_refuses(&[("CONSOLE_PLAYGROUND_SECRET", "env:PLAYGROUND")]);
    BINARY.assert_refuses(&[("CONSOLE_OPERATOR_TOKEN", " ")]);
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    BINARY.assert_knows_its_arguments("console", env!("CARGO_PKG_VERSION"));
}
