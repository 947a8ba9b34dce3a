//! The binary's answers to its arguments and to a configuration that it refuses.

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_context-builder"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn help_names_every_key_with_its_bounds() {
    let output = run(&["--help"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for expected in [
        "context-builder: decides",
        "NATS_URL",
        "READINESS_GRACE",
        "DRAIN_DEADLINE",
        "1 to 4096",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn the_configuration_is_printed_without_passwords() {
    let output = run(
        &["--print-config"],
        &[("NATS_URL", "nats://u:hunter2@a:1"), ("CONCURRENCY", "7")],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(
        text.contains("CONCURRENCY=7\n") && text.contains("NATS_URL=nats://…@a:1\n"),
        "{text}"
    );
}

#[test]
fn a_bad_configuration_is_refused_with_every_error_at_once() {
    let variables = [
        ("CONCURRENCY", "0"),
        ("NATS_ACK_WAIT", "500ms"),
        ("DRAIN_DEADLINE", "soon"),
        ("ADMIN_LISTEN", "here"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "bus=loud"),
    ];
    for arguments in [&[][..], &["--print-config"]] {
        let output = run(arguments, &variables);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        for (key, _) in variables {
            assert!(text.contains(&format!("{key}: ")), "{key} is not in\n{text}");
        }
    }
}

#[test]
fn an_unknown_argument_is_refused() {
    let output = run(&["--verbose"], &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
    let version = run(&["--version"], &[]);
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        concat!("context-builder ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
