use std::sync::Mutex;

use super::*;

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<FinishedSpan>>>);

impl SpanSink for Kept {
    fn take(&self, span: FinishedSpan) {
        self.0.lock().unwrap().push(span);
    }
}

impl Kept {
    fn spans(&self) -> Vec<FinishedSpan> {
        self.0.lock().unwrap().clone()
    }
}

fn span() -> Span {
    Span::publish("turns.{conversation}")
}

#[test]
fn a_span_is_told_with_its_parent_when_it_has_ended() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 1.0);
    let first = spans.receive(None);
    let second = spans.open(first.context());
    spans.close(second, || span().failed("oversize"));
    let [told] = &kept.spans()[..] else {
        panic!("{:?}", kept.spans())
    };
    assert_eq!(
        (told.context, told.parent),
        (second.context(), Some(first.context()))
    );
    assert!(told.span.is_error && told.ended >= told.began);
    assert_eq!(told.span.name, "publish turns.{conversation}");
    spans.close(first, || Span::new(SpanKind::Server, "POST"));
    assert_eq!(kept.spans()[1].parent, None);
}

#[test]
fn a_span_that_had_to_wait_is_as_long_as_it_took() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 1.0);
    spans.close_after(spans.receive(None), Duration::from_secs(60), span);
    let told = &kept.spans()[0];
    assert_eq!(
        told.ended.duration_since(told.began).unwrap(),
        Duration::from_secs(60)
    );
}

#[test]
fn what_is_not_to_be_recorded_is_not_even_described() {
    let unasked = || -> Span { panic!("nobody wants it") };
    let off = Spans::default();
    off.close(off.receive(None), unasked);
    let none = Spans::to(Kept::default(), 0.0);
    let first = none.receive(None);
    none.close(none.open(first.context()), unasked);
    none.close_after(first, Duration::ZERO, unasked);
}

#[test]
fn who_sends_a_trace_says_whether_it_is_recorded() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 0.0);
    let given = TraceContext::new().sampled_at(1.0);
    let open = spans.receive(Some(given));
    spans.close(open, span);
    assert_eq!(kept.spans()[0].parent, Some(given));
    assert!(open.context().shares_trace_with(given));
}
