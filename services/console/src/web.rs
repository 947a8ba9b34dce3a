//! How requests come in: one story for all routes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use bus::Bus;
use registry::{AllowedSecrets, Registry};
use runtime::task::Tasks;
use runtime::web::read_body;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;

use crate::audit::{self, Deed};
use crate::call::{Answer, Call, is_identifier};
use crate::forgetting::Forgetting;
use crate::guard::{Client, Guard};
use crate::lockout::LockOut;
use crate::metrics::ConsoleMetrics;
use crate::pages::{self, Attachments, Page, Surroundings};
use crate::playground::Playground;
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::vitals::Vitals;

/// The largest body: a bot with the longest prompt, each byte of it escaped, and the rest.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long a request waits for its turn to read.
const READING_WAIT: Duration = Duration::from_secs(10);

/// What stands for an identifier in an address.
type Parameters = Result<Path<HashMap<String, String>>, PathRejection>;

/// Where requests come in.
pub(crate) struct Desk {
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) guard: Guard,
    /// Which secrets the records that are written here may refer to.
    pub(crate) secrets: AllowedSecrets,
    pub(crate) forgetting: Forgetting,
    pub(crate) metrics: ConsoleMetrics,
    pub(crate) tasks: Tasks,
    /// Who may not try to sign in for now.
    pub(crate) lock_out: LockOut,
    /// How the pipeline did lately.
    pub(crate) vitals: Vitals,
    /// The playground's way in, if there is one.
    pub(crate) playground: Option<Playground>,
    /// Who watches a message on its way.
    pub(crate) watching: Arc<Semaphore>,
    /// What the pages are told about the world around them.
    pub(crate) surroundings: Surroundings,
    /// The files of users.
    pub(crate) attachments: Attachments,
    /// Whose turn it is to read: one at a time, as a page may take many megabytes and two are no faster on one thread.
    pub(crate) reading: Semaphore,
}

/// All routes and pages, and what is said where there is none.
pub(crate) fn router(desk: Arc<Desk>, routes: Vec<Route>, pages: Vec<Page>) -> Router {
    let mut router = pages::router(pages);
    for route in routes {
        let (path, filter) = (route.path.clone(), route.method.filter());
        let route = Arc::new(route);
        let take = async move |State(desk): State<Arc<Desk>>, parameters: Parameters, request: Request| {
            let span = tracing::info_span!("request", route = route.name);
            take(desk, route, parameters, request).instrument(span).await
        };
        router = router.route(&path, on(filter, take));
    }
    router
        .fallback(async |State(desk): State<Arc<Desk>>, request: Request| {
            refuse(&desk, &request, Problem::NoRoute)
        })
        .method_not_allowed_fallback(async |State(desk): State<Arc<Desk>>, request: Request| {
            refuse(&desk, &request, Problem::WrongMethod)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(desk)
}

/// What is said where nothing takes a request: to clients of the API a document, to browsers a page.
fn refuse(desk: &Desk, request: &Request, why: Problem) -> Response {
    if request.uri().path().starts_with("/v1/") {
        desk.refuse(request, why)
    } else {
        pages::refuse(desk, request, why)
    }
}

/// A request from its headers to its answer.
async fn take(desk: Arc<Desk>, route: Arc<Route>, parameters: Parameters, request: Request) -> Response {
    let began = Instant::now();
    let done = match desk.guard.admit(request.headers()) {
        Ok(client) if route.is_audited() => {
            let whole = audited(Arc::clone(&desk), route, client, parameters, request);
            match desk.tasks.owned(whole.in_current_span()).await {
                Ok(done) => done,
                Err(ended) => std::panic::resume_unwind(ended.into_panic()),
            }
        }
        Ok(client) => {
            let permit = match route.method {
                Method::Get => Some(desk.turn_to_read().await),
                Method::Put | Method::Post | Method::Delete => None,
            };
            match permit.transpose() {
                Ok(_permit) => work(&desk, &route, &client, &parameters, request).await,
                Err(problem) => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    };
    desk.finish(done, began)
}

/// What only operators may do, to its end and into the log, also when the client does not wait for it: its connection's
/// end would drop the work between two steps.
async fn audited(
    desk: Arc<Desk>,
    route: Arc<Route>,
    client: Client,
    parameters: Parameters,
    request: Request,
) -> Result<Answer, Problem> {
    let done = work(&desk, &route, &client, &parameters, request).await;
    let deed = Deed {
        action: &route.name,
        client: &client,
        id: &id_of(&parameters),
    };
    audit::note(&desk.metrics, &deed, done.as_ref().map(|answer| answer.written));
    done
}

async fn work(
    desk: &Arc<Desk>,
    route: &Route,
    client: &Client,
    parameters: &Parameters,
    request: Request,
) -> Result<Answer, Problem> {
    if client.role < route.role {
        return Err(Problem::Forbidden);
    }
    let id = id_of(parameters);
    // Nothing that is stored has another name, and none of it is put into a subject.
    if route.has_id() && !is_identifier(&id) {
        return Err(Problem::NotFound("the address holds no identifier"));
    }
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let body = read_body(request).await?;
    let call = Call {
        id,
        uri,
        headers,
        body,
    };
    (route.work)(Arc::clone(desk), call).await
}

fn id_of(parameters: &Parameters) -> String {
    let found = parameters
        .as_ref()
        .ok()
        .and_then(|parameters| parameters.get("id"));
    found.cloned().unwrap_or_default()
}

impl Desk {
    /// The place of who reads, as soon as it is free.
    ///
    /// # Errors
    /// [`Problem::Crowded`] when it is not in time: who waits longer has given up.
    pub(crate) async fn turn_to_read(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = tokio::time::timeout(READING_WAIT, self.reading.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(Problem::Crowded)
    }

    /// Says why not, to who is let in; without a token nothing is said, not even of the address.
    fn refuse(&self, request: &Request, why: Problem) -> Response {
        let began = Instant::now();
        let why = self.guard.admit(request.headers()).err().unwrap_or(why);
        self.finish(Err(why), began)
    }

    pub(crate) fn finish(&self, done: Result<Answer, Problem>, began: Instant) -> Response {
        self.metrics.answered(done.as_ref().err(), began.elapsed());
        match done {
            Ok(answer) => answer.into_response(),
            Err(problem) => {
                problem.log();
                problem.into_response()
            }
        }
    }
}
