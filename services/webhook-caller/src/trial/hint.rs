//! What to look at when a call fails: the guide's troubleshooting (`webhook-guide.txt`), by class of the error.

/// Class and hint.
const HINTS: [(&str, &str); 30] = [
    (
        "timeout",
        "No complete answer came within the integration's `timeout`, or no connection within 5 s. Raise the timeout, \
         make the backend faster, or look for latency on the way: the parts of the call show where the time went.",
    ),
    (
        "denied",
        "Only HTTPS at publicly routable addresses may be called. Give the backend such an address; for development \
         an operator may make an exception (OUTBOUND_ALLOW).",
    ),
    (
        "dns",
        "The name in the URL has no address. Check it for typing errors, and that it is known outside your network.",
    ),
    (
        "connect",
        "Nobody takes connections at the URL's host and port. Check that the backend runs, that firewalls let us in, \
         and try the URL with curl from another network.",
    ),
    (
        "tls",
        "The certificate is not accepted. It has to be valid today, made out for this host, and sent with all \
         between it and its root; one of a private authority has to be trusted (OUTBOUND_CA_FILE).",
    ),
    (
        "body",
        "The answer broke off or cannot be decoded. Check Content-Length and Content-Encoding, and whether a proxy \
         cuts the answer short.",
    ),
    (
        "other",
        "The connection broke before there was an answer. Check that HTTP/1.1 is spoken at this port, and look into \
         the logs of the backend and of the proxy before it.",
    ),
    (
        "rate_limited",
        "The backend takes no more calls now. Lower the integration's `limits`, or have the backend's raised.",
    ),
    (
        "insufficient_quota",
        "The account behind the key is used up. Look at its plan and its billing.",
    ),
    (
        "request_timeout",
        "The backend, or a proxy before it, waited too long for the request. Look for latency between us and it.",
    ),
    (
        "too_early",
        "The backend does not take requests this early. It is called again later; look into its log if that stays.",
    ),
    (
        "server_error",
        "The backend failed. Look into its log, and into that of the proxy before it; this is not a fault of the request.",
    ),
    (
        "unauthorized",
        "The key is not accepted. Check its value, that it has the permissions needed, that the header's name and \
         prefix (`Bearer `) are what the backend asks for, and that no space has slipped in.",
    ),
    (
        "gone",
        "The backend says that this address is given up for good. Use the new one.",
    ),
    (
        "client_error",
        "The backend does not take this request. Check the URL's path, that it takes POST with JSON, and that its \
         fields are those of the payload shown above.",
    ),
    (
        "redirect",
        "Redirects are not followed. Use the address that it leads to as the URL.",
    ),
    (
        "unexpected_status",
        "The status is none that a webhook answers with. It has to be 2xx with a reply, or 4xx or 5xx with an error.",
    ),
    (
        "reply_too_large",
        "The answer is larger than 256 KiB. Send less text, and files as `attachments`.",
    ),
    (
        "not_utf8",
        "The answer is in another encoding than UTF-8, as Latin-1. Have the backend encode its JSON in UTF-8.",
    ),
    (
        "not_json",
        "The answer has to be JSON. Put it through a JSON validator, and look for an error page in its place.",
    ),
    (
        "no_content",
        "The answer is JSON without what a reply needs: a text in the field `content`, or what the integration's \
         `format` has in its place.",
    ),
    (
        "tool_call",
        "The model asks for a tool, and there are none. Take the tools out of its settings.",
    ),
    (
        "out_of_tokens",
        "The model used up its tokens before it said anything. Raise `max_tokens`.",
    ),
    (
        "bad_attachment",
        "Attachments are at most 10, each with the `url` of a file on the web.",
    ),
    (
        "bad_button",
        "Buttons are at most 25, under a text or a file, each with a `label` of at most 75 characters, and either a \
         `value` of at most 64 bytes or the `url` of a web page.",
    ),
    (
        "unknown_integration",
        "There is no integration of this name. Apply it first, or look for typing errors.",
    ),
    (
        "secret_unavailable",
        "webhook-caller cannot read a secret that the integration refers to. Set the variable, or mount the file, where \
         webhook-caller runs.",
    ),
    (
        "circuit_open",
        "Too many calls of the webhook failed, so it is left in peace for a while. Look at the errors before this one.",
    ),
    (
        "disabled",
        "The webhook has answered 410 before and is not asked any more. Change its settings, or close its circuit \
         breaker.",
    ),
    (
        "bad_header",
        "A header's name or value cannot be sent. Look for line breaks and characters outside ASCII, also in secrets.",
    ),
];

/// What to look at.
pub(super) fn of(class: &str) -> &'static str {
    let found = HINTS.iter().find(|(known, _)| *known == class);
    found.map_or("Look into the log of webhook-caller.", |(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::classes;

    #[test]
    fn every_class_of_error_has_one_hint_of_its_own() {
        let classes: BTreeSet<&str> = classes().collect();
        let hinted: BTreeSet<&str> = HINTS.iter().map(|(class, _)| *class).collect();
        assert_eq!(hinted, classes);
        let hints: BTreeSet<&str> = HINTS.iter().map(|(_, hint)| *hint).collect();
        assert_eq!(hints.len(), HINTS.len());
    }
}
