//! The line of calls that found no room. Each is told when its place in the line comes up, by the pace at which calls
//! are made, so what waits in the broker comes about once, and not over and over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto_schemas::ids::IntegrationId;
use tokio::time::Instant;

/// Over how long the pace is measured, and after which a line that nobody joined is over.
const MEASURE: Duration = Duration::from_secs(2);
/// So many times faster than calls are made they are asked to come: what waits must not run out before more comes.
const EAGERNESS: f64 = 1.25;
/// The shortest pause, whatever the pace: shorter ones cost the broker more than they gain.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest: a line may move faster than it seemed, as when settings change.
const LONGEST: Duration = Duration::from_secs(60);

/// The lines of all integrations, as one replica sees them.
#[derive(Default)]
pub(super) struct Lines {
    lines: Mutex<HashMap<IntegrationId, Line>>,
}

struct Line {
    /// When the last place comes up.
    last: Instant,
    /// When somebody joined last.
    joined: Instant,
    /// When a call left last, or the line began.
    left: Instant,
    pace: Pace,
}

/// How long a call takes to leave the line.
struct Pace {
    present: Duration,
    since: Instant,
    made: u32,
}

impl Pace {
    fn guessed(guess: Duration, now: Instant) -> Self {
        Self {
            present: guess,
            since: now,
            made: 0,
        }
    }

    fn measured(&mut self, now: Instant) -> Duration {
        let passed = now - self.since;
        if passed >= MEASURE && self.made > 0 {
            *self = Self::guessed(passed / self.made, now);
        }
        self.present
    }
}

impl Lines {
    /// The pause after which a call may come again. `waiting` are in front of the line, in the mailbox; `guess` is its
    /// pace before it was measured.
    pub(super) fn place(
        &self,
        integration: &IntegrationId,
        now: Instant,
        waiting: u32,
        guess: Duration,
    ) -> Duration {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || Line {
            last: now,
            joined: now,
            left: now,
            pace: Pace::guessed(guess, now),
        };
        let line = lines.entry(integration.clone()).or_insert_with(begin);
        if now > line.joined + MEASURE && now > line.last + MEASURE {
            *line = begin();
        }
        let pace = line.pace.measured(now).div_f64(EAGERNESS);
        line.joined = now;
        // While nothing leaves, a call takes at least as long as that has lasted. Who comes after as long again is in
        // time: those in the mailbox take as long as those in flight.
        let stands_for = now.saturating_duration_since(line.left);
        line.last = (line.last + pace)
            .max(now + pace * waiting)
            .max(now + stands_for)
            .min(now + LONGEST);
        (line.last - now).max(SHORTEST)
    }

    /// A call was made and has left.
    pub(super) fn one_less(&self, integration: &IntegrationId, now: Instant) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(integration) {
            if now.saturating_duration_since(line.left) > MEASURE {
                // How long nothing left says nothing of the pace from here on.
                line.pace = Pace::guessed(line.pace.present, now);
            }
            line.pace.made = line.pace.made.saturating_add(1);
            line.left = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    const WAITING: u32 = 10;
    const GUESS: Duration = Duration::from_millis(100);

    fn integration() -> IntegrationId {
        IntegrationId::new("i").unwrap()
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn each_comes_when_those_before_it_have_left() {
        let (lines, now) = (Lines::default(), Instant::now());
        let place = || lines.place(&integration(), now, WAITING, GUESS);
        // A call leaves every 100 ms and one is asked to come every 80 ms; ten are there already.
        assert_eq!(
            [place(), place(), place()],
            [millis(800), millis(880), millis(960)]
        );
        for _ in 0..1000 {
            place();
        }
        assert_eq!(place(), LONGEST);
    }

    #[test]
    fn nobody_comes_at_once() {
        let lines = Lines::default();
        let place = lines.place(&integration(), Instant::now(), 1, millis(1));
        assert_eq!(place, SHORTEST);
    }

    #[test]
    fn the_pace_is_that_at_which_calls_have_left() {
        let (lines, now) = (Lines::default(), Instant::now());
        lines.place(&integration(), now, WAITING, GUESS);
        let later = now + MEASURE;
        for _ in 0..10 {
            lines.one_less(&integration(), later);
        }
        // Ten calls in two seconds: 200 ms each, 160 ms between two who come.
        let later = now + MEASURE;
        assert_eq!(lines.place(&integration(), later, WAITING, GUESS), millis(1600));
        assert_eq!(lines.place(&integration(), later, WAITING, GUESS), millis(1760));
    }

    #[test]
    fn a_line_that_is_over_says_nothing_about_the_next() {
        let (lines, now) = (Lines::default(), Instant::now());
        for _ in 0..50 {
            lines.place(&integration(), now, WAITING, GUESS);
        }
        let much_later = now + millis(60_000);
        assert_eq!(
            lines.place(&integration(), much_later, WAITING, GUESS),
            millis(800)
        );
    }

    #[test]
    fn while_nothing_leaves_they_come_ever_less_often() {
        let (lines, start) = (Lines::default(), Instant::now());
        let (mut now, mut pauses) = (start, Vec::new());
        for _ in 0..10 {
            let pause = lines.place(&integration(), now, 1, millis(1));
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(
            pauses,
            [250, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]
        );
        lines.one_less(&integration(), now);
        assert_eq!(lines.place(&integration(), now, 1, millis(1)), SHORTEST);
    }

    #[test]
    fn few_come_for_nothing_and_there_is_always_one_to_call() {
        let (lines, start) = (Lines::default(), Instant::now());
        let mut comes: BinaryHeap<Reverse<Instant>> = (0..300)
            .map(|_| Reverse(start + lines.place(&integration(), start, WAITING, GUESS)))
            .collect();
        let (mut waiting, mut next_leaves) = (WAITING, start + GUESS);
        let (mut for_nothing, mut idle) = (0, Duration::ZERO);
        while let Some(Reverse(now)) = comes.pop() {
            while waiting > 0 && next_leaves <= now {
                waiting -= 1;
                lines.one_less(&integration(), next_leaves);
                next_leaves += GUESS;
            }
            if waiting == 0 {
                idle += now.saturating_duration_since(next_leaves);
                next_leaves = next_leaves.max(now + GUESS);
            }
            if waiting < WAITING {
                waiting += 1;
            } else {
                for_nothing += 1;
                comes.push(Reverse(now + lines.place(&integration(), now, WAITING, GUESS)));
            }
        }
        assert!(for_nothing < 300 / 3, "{for_nothing} of 300 came for nothing");
        assert!(idle < GUESS * 3, "nobody was there to call for {idle:?}");
    }
}
