//! Files of users on Discord.

use proto_schemas::content::{FileLocation, FileSource};
use testkit::discord::Endpoint;

use crate::fixture::{DISCORD, Fixture, reason, source, stored};

/// A picture, to whoever looks at its first bytes.
const PIXELS: &[u8] = b"\x89PNG pixels";

fn at(url: &str) -> FileSource {
    let location = FileLocation::Url { url: url.to_owned() };
    source("cat.png", location)
}

#[tokio::test]
async fn a_file_is_fetched_at_its_signed_address_and_served_at_its_link() {
    let fixture = Fixture::start(&[]).await;
    let url = fixture.discord.add_file("cat.png", "image/png", PIXELS);
    fixture.discord.show_page_next(Endpoint::File, 502, None);
    let files = fixture.fetch_in(DISCORD, vec![at(&url)]).await;
    let file = stored(&files[0]);
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_str(), file.bytes),
        ("cat.png", "image/png", 11)
    );
    let served = fixture.get(file).await;
    assert_eq!(served.bytes().await.unwrap(), PIXELS);
    assert_eq!(
        fixture.discord.calls(Endpoint::File),
        2,
        "a hiccup is tried again"
    );
}

#[tokio::test]
async fn a_file_whose_link_has_expired_is_unavailable_at_once() {
    let fixture = Fixture::start(&[]).await;
    let url = fixture.discord.add_file("cat.png", "image/png", PIXELS);
    let (address, _) = url.split_once('?').unwrap();
    let files = vec![at(&format!("{address}?ex=68dc7ce1&is=68db2b61&hm=5954f9"))];
    let files = fixture.fetch_in(DISCORD, files).await;
    assert_eq!(reason(&files[0]), "Discord's link to the file has expired");
    assert_eq!(fixture.discord.calls(Endpoint::File), 0);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_not_followed() {
    let fixture = Fixture::start(&[]).await;
    let url = fixture.host.add("cat.png", "image/png", PIXELS);
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let files = fixture.fetch_in(DISCORD, vec![at(&elsewhere)]).await;
    assert!(
        reason(&files[0]).contains("not at a place"),
        "{}",
        reason(&files[0])
    );
}
