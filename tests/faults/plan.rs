//! Which faults happen when: drawn from the seed, before anything runs.

use std::ops::Range;
use std::time::Duration;

use ::tests::broker::ACK_WAIT;
use proto_schemas::dead_letter::Stage;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process is killed, and started again after a while.
    Kill(Stage, usize),
    /// A process is asked to end, and its successor is waited for.
    Replace(Stage, usize),
    /// A process stands still for longer than `ack_wait`, so that it is presumed dead and wakes up late.
    Freeze(Stage, usize),
    /// A node of the broker is killed, and started again on its data.
    KillBroker(usize),
    /// The broker stands still.
    FreezeBroker,
    /// All connections to the broker are cut.
    Cut,
    /// The way to the broker becomes slow; each piece of data takes so long.
    Slow(Duration),
    /// Nothing passes between services and broker; connections stay open.
    Stall,
    /// The webhook answers every call with 503.
    WebhookDown,
    /// The callback refuses so many replies with 503.
    CallbackRefuses(usize),
    /// Telegram, Slack and Discord fail so many calls with 500.
    PlatformsFail(usize),
    /// Telegram, Slack and Discord show the next message and lose its answer.
    PlatformsLoseAnswer,
}

/// A fault and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it begins, since the beginning of the run.
    pub(crate) at: Duration,
    /// How long it lasts.
    pub(crate) lasts: Duration,
    /// What happens.
    pub(crate) fault: Fault,
}

impl Planned {
    /// When it is over.
    pub(crate) fn ends(&self) -> Duration {
        self.at + self.lasts
    }
}

/// Draws the faults of a run, `per_minute` on average. Faults overlap, but never two of the same thing.
pub(crate) fn plan(seed: u64, duration: Duration, per_minute: f64, replicas: usize) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut planned: Vec<Planned> = Vec::new();
    if per_minute <= 0.0 {
        return planned;
    }
    let mean_gap = Duration::from_secs(60).div_f64(per_minute);
    let mut at = Duration::ZERO;
    loop {
        // Exponential gaps: faults come in clusters, as they do.
        at += mean_gap.mul_f64(-(1.0 - random.random::<f64>()).ln());
        if at >= duration {
            return planned;
        }
        let (fault, lasts) = draw(&mut random, replicas);
        let next = Planned { at, lasts, fault };
        if !planned.iter().any(|other| collides(other, &next)) {
            planned.push(next);
        }
    }
}

/// Every process is replaced, one after the other, as in a rolling update.
pub(crate) fn rolling_update(replicas: usize, pause: Duration) -> Vec<Planned> {
    let processes = Stage::ALL
        .into_iter()
        .flat_map(|stage| (0..replicas).map(move |replica| Fault::Replace(stage, replica)));
    one_by_one(processes, Duration::ZERO, pause)
}

/// Every node of the broker is lost for a while, one after the other.
pub(crate) fn lost_nodes(nodes: usize, lasts: Duration, pause: Duration) -> Vec<Planned> {
    one_by_one((0..nodes).map(Fault::KillBroker), lasts, pause)
}

fn one_by_one(faults: impl Iterator<Item = Fault>, lasts: Duration, pause: Duration) -> Vec<Planned> {
    let plan = |(number, fault)| Planned {
        at: pause + (lasts + pause) * number,
        lasts,
        fault,
    };
    (0..).zip(faults).map(plan).collect()
}

fn draw(random: &mut StdRng, replicas: usize) -> (Fault, Duration) {
    // What matters most is killed most: it fails between two steps of its story.
    let stages = [
        Stage::Ingress,
        Stage::ContextBuilder,
        Stage::ContextBuilder,
        Stage::WebhookCaller,
        Stage::WebhookCaller,
        Stage::WebhookCaller,
        Stage::Egress,
        Stage::Egress,
        Stage::Egress,
        Stage::AttachmentFetcher,
    ];
    let stage = stages[random.random_range(0..stages.len())];
    let replica = random.random_range(0..replicas);
    let fault = match random.random_range(0..100) {
        0..33 => Fault::Kill(stage, replica),
        33..57 => Fault::Freeze(stage, replica),
        57..61 => Fault::WebhookDown,
        61..68 => Fault::KillBroker(0),
        68..71 => Fault::FreezeBroker,
        71..80 => Fault::Cut,
        80..86 => Fault::Slow(millis(random, 2..20)),
        86..91 => Fault::Stall,
        91..94 => Fault::CallbackRefuses(random.random_range(1..5)),
        94..97 => Fault::PlatformsFail(random.random_range(1..4)),
        _ => Fault::PlatformsLoseAnswer,
    };
    (fault, lasting(random, fault))
}

fn lasting(random: &mut StdRng, fault: Fault) -> Duration {
    match fault {
        Fault::Kill(..) => millis(random, 100..2000),
        Fault::Freeze(..) => ACK_WAIT + millis(random, 300..3000),
        Fault::KillBroker(_) => millis(random, 100..1500),
        Fault::FreezeBroker => millis(random, 500..3000),
        Fault::WebhookDown => millis(random, 1000..8000),
        Fault::Slow(_) => millis(random, 2000..6000),
        Fault::Stall => millis(random, 500..4000),
        Fault::Replace(..)
        | Fault::Cut
        | Fault::CallbackRefuses(_)
        | Fault::PlatformsFail(_)
        | Fault::PlatformsLoseAnswer => Duration::ZERO,
    }
}

fn millis(random: &mut StdRng, range: Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(range))
}

fn collides(one: &Planned, other: &Planned) -> bool {
    let together = one.at <= other.ends() && other.at <= one.ends();
    together && same_thing(one.fault, other.fault)
}

fn same_thing(one: Fault, other: Fault) -> bool {
    use Fault as F;
    match (one, other) {
        (F::Kill(stage, replica) | F::Freeze(stage, replica), F::Kill(s, r) | F::Freeze(s, r)) => {
            (stage, replica) == (s, r)
        }
        (F::KillBroker(_) | F::FreezeBroker, F::KillBroker(_) | F::FreezeBroker)
        | (F::WebhookDown, F::WebhookDown)
        | (F::Slow(_), F::Slow(_))
        | (F::Stall, F::Stall) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        assert_eq!(plan(7, HOUR, 20.0, 2), plan(7, HOUR, 20.0, 2));
        assert_ne!(plan(7, HOUR, 20.0, 2), plan(8, HOUR, 20.0, 2));
    }

    #[test]
    fn the_rate_is_kept_and_every_kind_comes_up() {
        let faults = plan(7, HOUR, 20.0, 2);
        assert!((900..1300).contains(&faults.len()), "{}", faults.len());
        let mut kinds: Vec<_> = faults
            .iter()
            .map(|planned| std::mem::discriminant(&planned.fault))
            .collect();
        let unique: std::collections::HashSet<_> = kinds.drain(..).collect();
        assert_eq!(unique.len(), 11);
        assert!(plan(7, HOUR, 0.0, 2).is_empty());
    }

    #[test]
    fn a_thing_is_broken_by_one_fault_at_a_time() {
        let faults = plan(7, HOUR, 60.0, 2);
        for (index, one) in faults.iter().enumerate() {
            assert!(faults[index + 1..].iter().all(|other| !collides(one, other)));
        }
    }

    #[test]
    fn a_frozen_process_is_presumed_dead() {
        let faults = plan(7, HOUR, 20.0, 2);
        let mut frozen = faults
            .iter()
            .filter(|planned| matches!(planned.fault, Fault::Freeze(..)));
        assert!(frozen.all(|planned| planned.lasts > ACK_WAIT));
    }
}
