//! Why something was not done, on a page.

use maud::{Markup, html};
use operations::RecordError;

use crate::problem::Problem;

/// The problem, with the rules that a record breaks.
pub(super) fn told(problem: &Problem) -> Markup {
    notice(&sentence(problem), problem)
}

/// The same in other words.
pub(super) fn notice(sentence: &str, problem: &Problem) -> Markup {
    html! {
        div.notice.bad role="alert" {
            p { strong { (sentence) } }
            @if let Problem::Record(RecordError::Invalid(rules)) = problem {
                ul { @for rule in rules { li { code { (rule.path) } " " (rule.message) } } }
            }
            p.small { "Code: " code { (problem.verdict().code) } }
        }
    }
}

fn sentence(problem: &Problem) -> String {
    let text = problem.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str() + "."
}
