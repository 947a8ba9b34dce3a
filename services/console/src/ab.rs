//! `/v1/bots/{id}/ab`: how the arms of a bot's split do.

use std::sync::Arc;
use std::time::Duration;

use operations::ab::{self, Counted, Report};
use proto_schemas::ids::BotId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// How far back is looked, if nothing is said, and at most, which is as long as transcripts are kept.
const DEFAULT_HOURS: u64 = 24;
const MAX_HOURS: u64 = 90 * 24;
/// How many turns, of all bots, one request may look at: some seconds of work.
const MOST_TURNS: usize = 50_000;

/// How far back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Since {
    /// In hours; 24 when absent.
    #[schemars(range(min = 1, max = 2160))]
    hours: Option<u64>,
}

/// What was counted.
#[derive(Serialize, JsonSchema)]
struct ArmResults {
    #[serde(flatten)]
    report: Report,
    /// Whether every turn of the time was looked at; a request looks at some 50000, the oldest first.
    is_whole: bool,
}

/// The route.
pub(crate) fn routes() -> Vec<Route> {
    let route = Route::new::<ArmResults>(Method::Get, "/v1/bots/{id}/ab", "bots.ab", |desk, call| {
        Box::pin(count(desk, call))
    });
    vec![
        route
            .about("Counts outcomes and latency of each arm of a bot's split.")
            .queries::<Since>(),
    ]
}

async fn count(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let hours = call.query::<Since>()?.hours.unwrap_or(DEFAULT_HOURS);
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(Problem::BadQuery(format!("`hours` is 1 to {MAX_HOURS}")));
    }
    let nothing = || Problem::NotFound("there is no such bot");
    let id = BotId::new(&call.id).map_err(|_| nothing())?;
    let bot = desk.registry.bot(&id).ok_or_else(nothing)?;
    let arms = bot.split.as_ref().map_or(&[][..], |split| &split.arms);
    let since = Duration::from_secs(60 * 60 * hours);
    let Counted { report, is_whole } = ab::count(&desk.bus, &id, arms, since, MOST_TURNS).await?;
    Answer::of(&ArmResults { report, is_whole })
}
