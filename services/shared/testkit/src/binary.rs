//! What every service's binary answers to its arguments, and to a configuration that it refuses.

use std::process::{Command, Output};

/// A binary, run with nothing in its environment but what a test gives it.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// Where it is: `env!("CARGO_BIN_EXE_…")`.
    pub path: &'static str,
}

impl Binary {
    fn run(self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(self.path)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// `--help` succeeds and names each of `expected`: keys, bounds, what the service does.
    pub fn assert_help_names(self, expected: &[&str]) {
        let output = self.run(&["--help"], &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        for expected in expected {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    /// `--print-config` succeeds, shows values as they were given, and hides the password of an address.
    pub fn assert_prints_configuration(self) {
        let variables = [("NATS_URL", "nats://u:hunter2@a:1"), ("LOG_LEVEL", "debug")];
        let output = self.run(&["--print-config"], &variables);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(
            text.contains("LOG_LEVEL=debug\n") && text.contains("NATS_URL=nats://…@a:1\n"),
            "{text}"
        );
    }

    /// Each of `variables` is wrong: all are named at once, `hunter2` among their values is not repeated, and
    /// the binary ends with an error.
    pub fn assert_refuses(self, variables: &[(&str, &str)]) {
        for arguments in [&[][..], &["--print-config"]] {
            let output = self.run(arguments, variables);
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success());
            for (key, _) in variables {
                assert!(text.contains(&format!("{key}: ")), "{key} is not in\n{text}");
            }
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    /// An argument that it does not know is refused with a hint, and `--version` shows its name and `version`.
    pub fn assert_knows_its_arguments(self, name: &str, version: &str) {
        let output = self.run(&["--verbose"], &[]);
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
        let output = self.run(&["--version"], &[]);
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{name} {version}\n")
        );
    }
}
