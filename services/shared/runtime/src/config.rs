//! Configuration from the environment: one declaration per key gives its default, its bounds, its place in
//! `--help` and `--print-config`, and its part of the one report that names every error at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use registry::Secret;

/// Stands for a secret where the configuration is printed.
const HIDDEN: &str = "…";

/// A key that was declared while reading.
#[derive(Debug, Clone)]
struct Field {
    key: &'static str,
    help: &'static str,
    value: String,
    default: String,
    bounds: String,
}

/// Reads a service's configuration, key by key.
pub struct Reader {
    variables: BTreeMap<String, String>,
    fields: Vec<Field>,
    errors: Vec<String>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is refused:\n  {}", .0.join("\n  "))]
pub struct ConfigErrors(pub Vec<String>);

/// A configuration that can be read from the environment.
pub trait FromEnvironment: Sized {
    /// Declares and reads every key. Errors are kept by the reader; what is returned then is not used.
    fn read(reader: &mut Reader) -> Self;

    /// Reads every key from given variables.
    ///
    /// # Errors
    /// [`ConfigErrors`] naming each key and its bound.
    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(variables);
        let config = Self::read(&mut reader);
        reader.finish().map(|()| config)
    }
}

impl Reader {
    /// Reads from the process's environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place besides secrets that reads the environment"
    )]
    pub fn from_process() -> Self {
        Self::new(std::env::vars())
    }

    /// Reads from given variables.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            fields: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// A text; may be empty.
    pub fn text(&mut self, key: &'static str, default: &str, help: &'static str) -> String {
        let value = self
            .variables
            .get(key)
            .cloned()
            .unwrap_or_else(|| default.to_owned());
        self.declare(key, help, value.clone(), default.to_owned(), String::new());
        value
    }

    /// A text that is not needed.
    pub fn optional(&mut self, key: &'static str, help: &'static str) -> Option<String> {
        let value = self.text(key, "", help);
        (!value.is_empty()).then_some(value)
    }

    /// A secret that stands in the variable itself, as standard variables of others have it; never shown.
    pub fn secret(&mut self, key: &'static str, help: &'static str) -> Option<Secret> {
        let value = self.variables.get(key).filter(|value| !value.is_empty()).cloned();
        let shown = if value.is_some() { HIDDEN } else { "" };
        self.declare(key, help, shown.to_owned(), String::new(), String::new());
        value.map(Secret::new)
    }

    /// A share of a whole, from 0 to 1.
    pub fn share(&mut self, key: &'static str, default: f64, help: &'static str) -> f64 {
        let bounds = 0.0..=1.0;
        self.bounded(
            key,
            default,
            &default.to_string(),
            &bounds,
            "0 to 1",
            help,
            |text| text.parse().ok(),
        )
    }

    /// Words separated by commas; empty words do not count.
    pub fn list(&mut self, key: &'static str, help: &'static str) -> Vec<String> {
        let value = self.text(key, "", help);
        value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Something that is written as a text and checked by its own parser.
    pub fn parsed<T: FromStr>(
        &mut self,
        key: &'static str,
        default: &str,
        help: &'static str,
        must_be: &'static str,
    ) -> Option<T> {
        let value = self.text(key, default, help);
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.errors.push(format!("{key}: {value:?} must be {must_be}"));
        }
        parsed
    }

    /// One of a few words.
    pub fn choice(
        &mut self,
        key: &'static str,
        default: &'static str,
        choices: &[&'static str],
        help: &'static str,
    ) -> &'static str {
        let value = self
            .variables
            .get(key)
            .cloned()
            .unwrap_or_else(|| default.to_owned());
        self.declare(
            key,
            help,
            value.clone(),
            default.to_owned(),
            format!("one of {}", choices.join(", ")),
        );
        let chosen = choices.iter().copied().find(|choice| *choice == value);
        if chosen.is_none() {
            self.errors
                .push(format!("{key}: {value:?} must be one of {}", choices.join(", ")));
        }
        chosen.unwrap_or(default)
    }

    /// A whole number within bounds.
    pub fn number(
        &mut self,
        key: &'static str,
        default: u64,
        bounds: RangeInclusive<u64>,
        help: &'static str,
    ) -> u64 {
        let shown = format!("{} to {}", bounds.start(), bounds.end());
        self.bounded(
            key,
            default,
            &default.to_string(),
            &bounds,
            &shown,
            help,
            |text| text.parse().ok(),
        )
    }

    /// A length of time within bounds, as `30s` or `5m`.
    pub fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
        help: &'static str,
    ) -> Duration {
        let show = |duration: Duration| humantime::format_duration(duration).to_string();
        let shown = format!("{} to {}", show(*bounds.start()), show(*bounds.end()));
        self.bounded(key, default, &show(default), &bounds, &shown, help, |text| {
            humantime::parse_duration(text).ok()
        })
    }

    /// An address to listen on; port 0 takes a free one.
    pub fn listen(&mut self, key: &'static str, default: SocketAddr, help: &'static str) -> SocketAddr {
        self.parsed(
            key,
            &default.to_string(),
            help,
            "an address with a port, as 0.0.0.0:8080",
        )
        .unwrap_or(default)
    }

    /// Adds what a check over several keys found.
    pub fn error(&mut self, error: String) {
        self.errors.push(error);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "private: the three callers differ in each of them"
    )]
    fn bounded<T: PartialOrd + Copy>(
        &mut self,
        key: &'static str,
        default: T,
        default_text: &str,
        bounds: &RangeInclusive<T>,
        shown: &str,
        help: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let text = self
            .variables
            .get(key)
            .cloned()
            .unwrap_or_else(|| default_text.to_owned());
        self.declare(key, help, text.clone(), default_text.to_owned(), shown.to_owned());
        match parse(&text) {
            Some(value) if bounds.contains(&value) => value,
            Some(_) | None => {
                self.errors
                    .push(format!("{key}: {text:?} must be within {shown}"));
                default
            }
        }
    }

    fn declare(
        &mut self,
        key: &'static str,
        help: &'static str,
        value: String,
        default: String,
        bounds: String,
    ) {
        self.fields.push(Field {
            key,
            help,
            value,
            default,
            bounds,
        });
    }

    /// Fails with every error that was found.
    ///
    /// # Errors
    /// [`ConfigErrors`] naming each key and its bound.
    pub fn finish(&self) -> Result<(), ConfigErrors> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(self.errors.clone()))
        }
    }

    /// The keys with their meaning, default and bounds, for `--help`.
    pub fn help(&self) -> String {
        let mut text = String::new();
        for field in &self.fields {
            let default = if field.default.is_empty() {
                "empty"
            } else {
                &field.default
            };
            let bounds = if field.bounds.is_empty() {
                String::new()
            } else {
                format!("; {}", field.bounds)
            };
            // Writing to a String cannot fail.
            let _written = writeln!(text, "  {:<28} {} [{default}{bounds}]", field.key, field.help);
        }
        text
    }

    /// The keys with their default, bounds and meaning as a table in Markdown, for the reference.
    pub fn table(&self) -> String {
        let mut text = "| Variable | Default | Bounds | Meaning |\n|---|---|---|---|\n".to_owned();
        for field in &self.fields {
            let default = if field.default.is_empty() {
                "empty".to_owned()
            } else {
                format!("`{}`", field.default)
            };
            // Writing to a String cannot fail.
            let _written = writeln!(
                text,
                "| `{}` | {default} | {} | {} |",
                field.key, field.bounds, field.help
            );
        }
        text
    }

    /// The keys with their values, for `--print-config`. Most secrets are references; what has to be
    /// hidden is a password in an address and what [`Reader::secret`] reads.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for field in &self.fields {
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{}={}", field.key, without_password(&field.value));
        }
        text
    }
}

/// An address list without the passwords in it, for people to see.
pub fn without_password(value: &str) -> String {
    value.split(',').map(hide_password).collect::<Vec<_>>().join(",")
}

fn hide_password(address: &str) -> String {
    match address
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.rsplit_once('@')))
    {
        Some((scheme, Some((_, host)))) => format!("{scheme}://…@{host}"),
        Some((_, None)) | None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(variables: &[(&str, &str)]) -> Reader {
        Reader::new(
            variables
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn every_error_is_named_at_once_with_its_bound() {
        let mut reader = reader(&[
            ("COUNT", "0"),
            ("WAIT", "soon"),
            ("LISTEN", "here"),
            ("FORMAT", "xml"),
        ]);
        reader.number("COUNT", 5, 1..=10, "");
        reader.duration(
            "WAIT",
            Duration::from_secs(1),
            Duration::ZERO..=Duration::from_secs(9),
            "",
        );
        reader.listen("LISTEN", SocketAddr::from(([0, 0, 0, 0], 1)), "");
        reader.choice("FORMAT", "json", &["json", "pretty"], "");
        assert_eq!(
            reader.finish().unwrap_err().0,
            [
                "COUNT: \"0\" must be within 1 to 10",
                "WAIT: \"soon\" must be within 0s to 9s",
                "LISTEN: \"here\" must be an address with a port, as 0.0.0.0:8080",
                "FORMAT: \"xml\" must be one of json, pretty",
            ]
        );
    }

    #[test]
    fn bounds_themselves_are_allowed() {
        let mut reader = reader(&[("LOW", "1"), ("HIGH", "10")]);
        assert_eq!(
            (
                reader.number("LOW", 5, 1..=10, ""),
                reader.number("HIGH", 5, 1..=10, "")
            ),
            (1, 10)
        );
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_secret_in_a_variable_is_neither_printed_nor_helped_with() {
        let mut reader = reader(&[("HEADERS", "authorization=s3cret"), ("EMPTY", "")]);
        assert_eq!(
            reader.secret("HEADERS", "").unwrap().expose(),
            "authorization=s3cret"
        );
        assert!(reader.secret("EMPTY", "").is_none());
        assert_eq!(reader.print(), "HEADERS=…\nEMPTY=\n");
        assert!(!reader.help().contains("s3cret"));
    }

    #[test]
    fn a_share_is_refused_beyond_its_bounds() {
        let mut reader = reader(&[("NONE", "0"), ("ALL", "1.0"), ("MORE", "1.01"), ("NAN", "NaN")]);
        assert_eq!(
            (reader.share("NONE", 0.5, ""), reader.share("ALL", 0.5, "")),
            (0.0, 1.0)
        );
        reader.share("MORE", 0.5, "");
        reader.share("NAN", 0.5, "");
        assert_eq!(
            reader.finish().unwrap_err().0,
            [
                "MORE: \"1.01\" must be within 0 to 1",
                "NAN: \"NaN\" must be within 0 to 1"
            ]
        );
    }

    #[test]
    fn a_password_in_an_address_is_not_printed() {
        let mut reader = reader(&[("NATS_URL", "nats://u:s3cret@a:1,nats://b:2")]);
        reader.text("NATS_URL", "", "");
        assert_eq!(reader.print(), "NATS_URL=nats://…@a:1,nats://b:2\n");
    }
}
