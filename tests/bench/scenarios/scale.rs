//! Does a turn cost more where many conversations exist? In a closed loop over a thousand of them, which are then
//! fresh in every cache; and wandering over all of them, so that each turn finds its conversation as it was left.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::{Options, settings};
use crate::broker::Broker;
use crate::fakes::Behaviour;
use crate::pipeline::{BOTS, UNLIMITED_SENDERS};
use crate::preload::preload;
use crate::report::{say, say_head, say_run, write};
use crate::run::Run;
use crate::world::{Outside, World, during};

/// Conversations that a wanderer needs at least, so as not to come round within a window.
const FEW: usize = 20_000;
/// How long the wanderer is on its way before it is measured.
const RUN_IN: Duration = Duration::from_secs(3);

/// What was seen beside so many conversations.
#[derive(Serialize)]
struct Beside {
    existing_conversations: usize,
    broker_start_seconds: f64,
    services_start_seconds: f64,
    closed_loop: Run,
    wandering: Run,
}

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let many = options.conversations;
    say_head(&format!("scale: {} messages under way", options.active));
    let reference = beside(FEW, options).await?;
    let loaded = beside(many, options).await?;
    let ratio = |run: fn(&Beside) -> &Run| {
        run(&loaded).cpu_seconds_per_1000_turns / run(&reference).cpu_seconds_per_1000_turns
    };
    let (closed, wandering) = (ratio(|seen| &seen.closed_loop), ratio(|seen| &seen.wandering));
    say(&format!(
        "\n  CPU per turn beside {many} conversations, in terms of that beside {FEW}: {closed:.2} in the closed loop, \
         {wandering:.2} wandering"
    ));
    let results = json!({
        "cpu_ratio_closed_loop": closed,
        "cpu_ratio_wandering": wandering,
        "seen": [reference, loaded],
    });
    let facts = json!({ "existing_conversations": many });
    let settings = settings(options, &UNLIMITED_SENDERS, facts);
    write(&format!("scale-{many}"), &settings, &results)
}

async fn beside(existing: usize, options: Options) -> Result<Beside, String> {
    let mut broker = Broker::start().await;
    preload(&broker, existing).await;
    broker.server.stop().await;
    let began = Instant::now();
    broker.server.restart().await;
    let broker_start = began.elapsed();
    let outside = Outside::new(existing, Behaviour::default()).await;
    let began = Instant::now();
    let world = World::platform_on(broker, outside, &UNLIMITED_SENDERS).await;
    let services_start = began.elapsed();
    say(&format!(
        "  {existing} conversations exist: the broker starts in {:.1} s, the services in {:.1} s",
        broker_start.as_secs_f64(),
        services_start.as_secs_f64()
    ));

    say("  wandering");
    let wandering = during(world.driver.wander(existing, options.active), async {
        tokio::time::sleep(RUN_IN).await;
        world.measure_all(options.duration).await
    })
    .await;
    say_run(&wandering);
    world.settle().await?;
    world.rest().await;
    world.ledger.forget_freed();
    say("  closed loop");
    let closed_loop = world
        .saturate(&spread(existing, options.active), options.duration)
        .await;
    say_run(&closed_loop);
    world.settle().await?;
    Ok(Beside {
        existing_conversations: existing,
        broker_start_seconds: broker_start.as_secs_f64(),
        services_start_seconds: services_start.as_secs_f64(),
        closed_loop,
        wandering,
    })
}

/// The active conversations among the existing ones: evenly spread, as many of each bot.
fn spread(existing: usize, active: usize) -> Vec<usize> {
    let stride = existing / active;
    let of_bot = |index: usize| index * stride / BOTS * BOTS + index % BOTS;
    (0..active).map(of_bot).collect()
}
