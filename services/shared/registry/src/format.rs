//! What a backend speaks: the guide's payload, or one of two published APIs.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

/// What a backend speaks. Written as its name, with the settings inside where it has some:
/// `format: platform`, `format: { openai: { model: … } }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The payload of the guide.
    #[default]
    Platform,
    /// OpenAI's chat completions.
    Openai(OpenaiSettings),
    /// Anthropic's messages.
    Anthropic(AnthropicSettings),
}

impl Format {
    /// Whether it is the default.
    pub fn is_platform(&self) -> bool {
        *self == Self::Platform
    }
}

/// Settings of OpenAI's chat completions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenaiSettings {
    /// The model, as the API names it. Required, at most 256 bytes.
    #[serde(default)]
    pub model: String,
    /// The most tokens that the model may spend on an answer, its thoughts included. Sent as
    /// `max_completion_tokens`. 1 to 1000000; the API's own limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How much is left to chance. 0 to 2; the API's default when absent. Models that think first refuse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Number>,
}

/// Settings of Anthropic's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnthropicSettings {
    /// The model, as the API names it. Required, at most 256 bytes.
    pub model: String,
    /// The most tokens that the model may spend on an answer, its thoughts included. 1 to 1000000; default 1024.
    pub max_tokens: u32,
    /// How much is left to chance. 0 to 1; the API's default when absent. Newer models refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Number>,
}

impl Default for AnthropicSettings {
    fn default() -> Self {
        Self {
            model: String::new(),
            max_tokens: 1024,
            temperature: None,
        }
    }
}

/// The form with settings, read key by key, so that unknown keys can be told by their path.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WithSettings {
    Openai(OpenaiSettings),
    Anthropic(AnthropicSettings),
}

/// The names alone.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Platform,
    Openai,
    Anthropic,
}

/// A name without its settings is read as well: the check then says which of them are missing, beside all else
/// that is wrong with the manifest.
impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrSettings)
    }
}

struct NameOrSettings;

impl<'de> Visitor<'de> for NameOrSettings {
    type Value = Format;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`platform`, or `openai` or `anthropic` with its settings")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Format, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        Ok(match Name::deserialize(name)? {
            Name::Platform => Format::Platform,
            Name::Openai => Format::Openai(OpenaiSettings::default()),
            Name::Anthropic => Format::Anthropic(AnthropicSettings::default()),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Format, A::Error> {
        Ok(
            match WithSettings::deserialize(MapAccessDeserializer::new(map))? {
                WithSettings::Openai(settings) => Format::Openai(settings),
                WithSettings::Anthropic(settings) => Format::Anthropic(settings),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(written: Value) -> Result<Format, String> {
        serde_json::from_value(written).map_err(|error| error.to_string())
    }

    #[test]
    fn a_format_is_a_name_or_a_name_with_settings() {
        assert_eq!(read(json!("platform")), Ok(Format::Platform));
        let settings = OpenaiSettings {
            model: "gpt-4o".to_owned(),
            max_tokens: Some(500),
            temperature: Number::from_f64(0.2),
        };
        let written = json!({"openai": {"model": "gpt-4o", "max_tokens": 500, "temperature": 0.2}});
        assert_eq!(read(written), Ok(Format::Openai(settings)));
    }

    #[test]
    fn anthropics_tokens_have_a_default() {
        let read = read(json!({"anthropic": {"model": "claude-sonnet-5"}}));
        let settings = AnthropicSettings {
            model: "claude-sonnet-5".to_owned(),
            ..AnthropicSettings::default()
        };
        assert_eq!(settings.max_tokens, 1024);
        assert_eq!(read, Ok(Format::Anthropic(settings)));
    }

    #[test]
    fn an_unknown_format_is_refused_by_its_name() {
        for written in [json!("gemini"), json!({"gemini": {}})] {
            let error = read(written).unwrap_err();
            assert!(error.contains("unknown variant `gemini`"), "{error}");
        }
        assert!(read(json!(["openai"])).unwrap_err().contains("with its settings"));
    }

    #[test]
    fn two_formats_at_once_are_refused() {
        assert!(read(json!({"openai": {"model": "a"}, "anthropic": {"model": "b"}})).is_err());
    }
}
