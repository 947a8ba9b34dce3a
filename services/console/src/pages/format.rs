//! Times, durations and amounts, for a person.

use std::time::{Duration, UNIX_EPOCH};

use maud::{Markup, html};
use proto_schemas::ids::UnixMillis;
use runtime::clock;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment as how long ago it was; the moment itself shows when one points at it.
pub(super) fn ago(moment: UnixMillis) -> Markup {
    before(moment, clock::now())
}

fn before(moment: UnixMillis, now: UnixMillis) -> Markup {
    let exactly = exactly(moment);
    html! { time datetime=(exactly) title=(exactly) { (rough(now.since(moment))) " ago" } }
}

/// A moment in RFC 3339, in UTC.
pub(super) fn exactly(moment: UnixMillis) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(moment.0)).to_string()
}

/// A duration in its largest unit.
pub(super) fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        DAY.. => format!("{} d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_largest_unit() {
        let of = |millis| rough(Duration::from_millis(millis));
        assert_eq!([of(0), of(999), of(59_999)], ["0 ms", "999 ms", "59 s"]);
        assert_eq!(
            [of(60_000), of(3_599_999), of(86_399_999)],
            ["1 min", "59 min", "23 h"]
        );
        assert_eq!(of(172_800_000), "2 d");
    }

    #[test]
    fn a_moment_says_when_it_was_exactly() {
        let shown = before(UnixMillis(1_767_225_600_000), UnixMillis(1_767_225_605_000)).into_string();
        let moment = "2026-01-01T00:00:00.000Z";
        assert_eq!(
            shown,
            format!("<time datetime=\"{moment}\" title=\"{moment}\">5 s ago</time>")
        );
    }
}
