//! Which webhook a turn asks now: the bot's, or its fallback once that one is given up.

use proto_schemas::ids::{IntegrationId, UnixMillis};
use proto_schemas::progress::TurnProgress;

/// The webhook that is asked, and the one that is asked when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) asked: &'a IntegrationId,
    pub(crate) next: Option<&'a IntegrationId>,
}

impl<'a> Route<'a> {
    pub(crate) fn of(
        integration: &'a IntegrationId,
        fallback: Option<&'a IntegrationId>,
        progress: &TurnProgress,
    ) -> Self {
        match fallback {
            Some(fallback) if progress.fallen_back => Self {
                asked: fallback,
                next: None,
            },
            next => Self {
                asked: integration,
                next,
            },
        }
    }

    /// How often the webhook that is asked has failed, and when its first attempt began. Each has a budget of its
    /// own.
    pub(crate) fn failures(&self, progress: &TurnProgress) -> (u32, Option<UnixMillis>) {
        let mut own = progress
            .attempts
            .iter()
            .filter(|attempt| attempt.integration == *self.asked);
        let first = own.next().map(|attempt| attempt.at);
        let failed = own.count() + usize::from(first.is_some());
        (u32::try_from(failed).unwrap_or(u32::MAX), first)
    }
}

#[cfg(test)]
mod tests {
    use proto_schemas::dead_letter::Attempt;

    use super::*;

    fn integration(id: &str) -> IntegrationId {
        IntegrationId::new(id).unwrap()
    }

    fn failed(id: &str, at: u64) -> Attempt {
        Attempt {
            at: UnixMillis(at),
            integration: integration(id),
            class: "timeout".to_owned(),
            status: None,
            detail: String::new(),
            millis: 0,
        }
    }

    #[test]
    fn the_fallback_is_asked_once_the_integration_is_given_up_and_nobody_after_it() {
        let (first, second) = (integration("first"), integration("second"));
        let mut progress = TurnProgress::default();
        let route = Route::of(&first, Some(&second), &progress);
        assert_eq!((route.asked, route.next), (&first, Some(&second)));
        progress.fallen_back = true;
        let route = Route::of(&first, Some(&second), &progress);
        assert_eq!((route.asked, route.next), (&second, None));
        let without = Route::of(&first, None, &progress);
        assert_eq!((without.asked, without.next), (&first, None));
    }

    #[test]
    fn each_webhook_has_its_own_failures() {
        let (first, second) = (integration("first"), integration("second"));
        let progress = TurnProgress {
            attempts: vec![failed("first", 1), failed("first", 2), failed("second", 3)],
            fallen_back: true,
            ..TurnProgress::default()
        };
        let route = Route::of(&first, Some(&second), &progress);
        assert_eq!(route.failures(&progress), (1, Some(UnixMillis(3))));
        let before = TurnProgress::default();
        assert_eq!(route.failures(&before), (0, None));
    }
}
