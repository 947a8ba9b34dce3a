//! `/v1/overview`: how the pipeline does just now.

use operations::overview::{self, Overview};

use crate::call::Answer;
use crate::route::{Method, Route};

/// The route.
pub(crate) fn routes() -> Vec<Route> {
    let look = Route::new::<Overview>(Method::Get, "/v1/overview", "overview", |desk, _| {
        Box::pin(async move { Answer::of(&overview::look(&desk.bus).await?) })
    });
    vec![
        look.about(
            "Shows what waits at each stage, what was given up, and which webhooks are left in peace.",
        ),
    ]
}
