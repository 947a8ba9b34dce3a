use std::collections::BTreeSet;

use super::*;

/// More than have series of their own.
const MANY: usize = 250;

fn integration(number: usize) -> IntegrationId {
    IntegrationId::new(format!("i{number}")).unwrap()
}

fn declared() -> (Metrics, Arc<CallerMetrics>) {
    let metrics = Metrics::new("webhook-caller").unwrap();
    let caller = Arc::new(CallerMetrics::new(&metrics, true).unwrap());
    (metrics, caller)
}

/// A call that fails, one that will be made again, and a breaker that opens.
fn use_all(caller: &Arc<CallerMetrics>, integration: &IntegrationId) -> IntegrationMetrics {
    let of = caller.of(integration);
    of.calls();
    of.called(Some("timeout"), Duration::from_secs(1));
    caller.will_retry(integration);
    caller.circuit(integration, "open");
    of
}

/// The values of the label `integration` that are shown.
fn shown(metrics: &Metrics) -> BTreeSet<String> {
    let text = metrics.render().unwrap();
    let values = text.split("integration=\"").skip(1);
    values
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn so_many_integrations_have_series_and_all_others_share_theirs() {
    let (metrics, caller) = declared();
    for number in 0..MANY {
        use_all(&caller, &integration(number));
    }
    let shown = shown(&metrics);
    assert_eq!(shown.len(), 201);
    assert!(shown.contains("i199") && shown.contains("other") && !shown.contains("i200"));
    let text = metrics.render().unwrap();
    assert!(
        text.contains("chatbot_webhook_retries_total{integration=\"other\",service=\"webhook-caller\"} 50"),
        "{text}"
    );
    assert!(
        !text.contains("chatbot_circuit_state{integration=\"other\""),
        "{text}"
    );
}

#[test]
fn series_of_an_integration_that_is_removed_are_gone() {
    let (metrics, caller) = declared();
    let (stays, goes) = (integration(1), integration(2));
    use_all(&caller, &stays);
    let last_call = use_all(&caller, &goes);
    caller.keep_integrations(|id| *id == stays);
    assert_eq!(shown(&metrics), BTreeSet::from(["i1".to_owned()]));

    // A call that was in flight ends after the removal.
    last_call.called(Some("timeout"), Duration::from_secs(1));
    caller.keep_integrations(|id| *id == stays);
    assert_eq!(shown(&metrics), BTreeSet::from(["i1".to_owned()]));
}

#[test]
fn without_the_label_all_integrations_share_their_series() {
    let metrics = Metrics::new("webhook-caller").unwrap();
    let caller = Arc::new(CallerMetrics::new(&metrics, false).unwrap());
    use_all(&caller, &integration(1));
    assert_eq!(shown(&metrics), BTreeSet::from(["other".to_owned()]));
}
