//! The protocol, explored exhaustively on a small scale.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod builder;
mod caller;
mod explore;
mod list;
mod model;
mod pool;
mod properties;
mod sender;
mod state;
mod steps;

use domain::policy::Overlap;

use explore::explore;
use model::{Kind, Limits, Model, Rules};

#[test]
fn probe() {
    let get = |name: &str, default: &str| option_env_or(name, default);
    let kinds: Vec<Kind> = get("KINDS", "TT")
        .chars()
        .map(|c| if c == 'T' { Kind::Text } else { Kind::Reset })
        .collect();
    let overlap = if get("OVERLAP", "Q") == "Q" {
        Overlap::Queue
    } else {
        Overlap::Coalesce
    };
    let l: Vec<u8> = get("LIMITS", "1100").bytes().map(|b| b - b'0').collect();
    let limits = Limits {
        crashes: l[0],
        wakes: l[1],
        lapses: l[2],
        lag: l[3],
    };
    let r: Vec<bool> = get("RULES", "11111").bytes().map(|b| b == b'1').collect();
    let rules = Rules {
        compare_and_set: r[0],
        receipts: r[1],
        duplicates_vouch_for_one: r[2],
        reads_include_trigger: r[3],
        turns_wait_for_deliveries: r[4],
    };
    let at = std::time::Instant::now();
    let found = explore(&Model::new(&kinds, overlap, limits, rules));
    eprintln!(
        "{kinds:?} {overlap:?} {limits:?}: {} states in {:?}, size {}",
        found.states,
        at.elapsed(),
        size_of::<state::State>()
    );
    if let Some(v) = found.violation {
        eprintln!("{}\n{}", v.what, v.path.join("\n"));
        panic!()
    }
}
#[expect(clippy::disallowed_methods, reason = "probe")]
fn option_env_or(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or(default.to_owned())
}
