//! What each problem looks like.

use super::*;

fn seen(problem: Problem) -> (u16, bool) {
    let verdict = problem.verdict();
    let status = verdict.status.as_u16();
    assert!(
        Problem::CODES.contains(&(verdict.code, status)),
        "{}",
        verdict.code
    );
    (status, verdict.retry_after.is_some())
}

#[test]
fn what_passes_by_itself_names_a_wait_and_what_does_not_names_none() {
    let refused = |reason| {
        seen(Problem::Refused {
            reason,
            detail: String::new(),
        })
    };
    assert_eq!(refused(Refusal::TooManyTests), (429, true));
    assert_eq!(refused(Refusal::LimitReached), (503, true));
    assert_eq!(refused(Refusal::UnknownIntegration), (404, false));
    assert_eq!(refused(Refusal::Unusable), (422, false));
    assert_eq!(refused(Refusal::Interrupted), (502, false));
    assert_eq!(seen(Problem::NobodyAnswers), (503, true));
    assert_eq!(seen(Problem::TimedOut), (504, false));
    let away = BusError::Unavailable("x".to_owned());
    assert_eq!(seen(Problem::Broker(away)), (503, true));
    assert_eq!(seen(Problem::Broker(BusError::Conflict)), (502, false));
}

#[test]
fn what_becomes_of_records_and_dead_letters_has_a_status_of_its_own() {
    let errors = [
        RecordError::Unknown,
        RecordError::UnknownRevision,
        RecordError::Changed,
        RecordError::Invalid(Vec::new()),
        RecordError::InUse(Vec::new()),
        RecordError::Bus(BusError::Unavailable(String::new())),
    ];
    assert_eq!(
        errors.map(|error| seen(error.into())),
        [
            (404, false),
            (404, false),
            (412, false),
            (422, false),
            (409, false),
            (503, true)
        ]
    );
    let errors = [
        ReplayError::Impossible("x"),
        ReplayError::PlaceTaken,
        ReplayError::Payload(String::new()),
        ReplayError::Bus(BusError::Unavailable(String::new())),
    ];
    assert_eq!(
        errors.map(|error| seen(error.into())),
        [(409, false), (409, true), (410, false), (503, true)]
    );
    let errors = [
        CloseError::NotOpen,
        CloseError::Changed,
        CloseError::Bus(BusError::Unavailable(String::new())),
    ];
    assert_eq!(
        errors.map(|error| seen(error.into())),
        [(409, false), (409, true), (503, true)]
    );
    let refused = Problem::ForgetUserRefused(String::new());
    assert_eq!(seen(refused), (502, false));
    assert_eq!(seen(Problem::NoForgetUser), (501, false));
    assert_eq!(seen(Problem::Busy), (503, true));
    let wait = Duration::from_millis(1);
    assert_eq!(seen(Problem::TooManyRequests(wait)), (429, true));
    assert_eq!(seen(Problem::TooManyStrangers(wait)), (429, true));
    assert_eq!(seen(Problem::LockedOut(wait)), (429, true));
    assert_eq!(seen(Problem::ForeignForm), (403, false));
}

#[test]
fn a_body_that_cannot_be_had_is_the_clients_fault() {
    let errors = [BodyError::TooLarge, BodyError::TooSlow, BodyError::Broken];
    assert_eq!(
        errors.map(|error| seen(error.into())),
        [(413, false), (400, false), (400, false)]
    );
}

#[test]
fn what_lies_behind_us_is_not_shown() {
    let problem = Problem::Broker(BusError::Unavailable("nats://u:s3cret@a:1".to_owned()));
    assert!(!problem.to_string().contains("s3cret"));
}
