//! Contents that are neither text nor file, in words: what the webhook reads in their place.

use super::update::{Contact, Dice, Location, Message, Poll, Sticker, Venue};

/// The message's content in words; none when it has none that can be said. A venue has a location too, so it comes
/// first.
pub(super) fn in_words(message: &Message) -> Option<String> {
    let said = message.sticker.as_ref().map(sticker);
    said.or_else(|| message.venue.as_ref().map(venue))
        .or_else(|| message.location.as_ref().map(location))
        .or_else(|| message.contact.as_ref().map(contact))
        .or_else(|| message.poll.as_ref().map(poll))
        .or_else(|| message.dice.as_ref().map(dice))
}

fn sticker(sticker: &Sticker) -> String {
    match &sticker.emoji {
        Some(emoji) => format!("[sticker {emoji}]"),
        None => "[sticker]".to_owned(),
    }
}

fn venue(venue: &Venue) -> String {
    let Venue {
        title,
        address,
        location,
    } = venue;
    format!("[venue: {title}, {address} ({})]", position(location))
}

fn location(location: &Location) -> String {
    format!("[location: {}]", position(location))
}

fn position(location: &Location) -> String {
    format!("{}, {}", location.latitude, location.longitude)
}

fn contact(contact: &Contact) -> String {
    let names = [Some(&contact.first_name), contact.last_name.as_ref()];
    let name = names.into_iter().flatten().map(String::as_str);
    format!(
        "[contact: {}, {}]",
        name.collect::<Vec<_>>().join(" "),
        contact.phone_number
    )
}

fn poll(poll: &Poll) -> String {
    let options: Vec<&str> = poll.options.iter().map(|option| option.text.as_str()).collect();
    format!("[poll: {} ({})]", poll.question, options.join(" / "))
}

fn dice(dice: &Dice) -> String {
    format!("[{} {}]", dice.emoji, dice.value)
}
