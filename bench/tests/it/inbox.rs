//! The scripted server's inboxes.

use crate::server::{Fault, Stored, wire};
use std::{collections::HashMap, hash::BuildHasher};

/// A page of the inbox that a query asks for.
pub(crate) fn page<S: BuildHasher>(
    chats: &HashMap<String, Vec<Stored>, S>,
    query: &str,
    fault: Fault,
) -> String {
    let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)).expect("all are there");
    let user = value("user=");
    let limit: usize = value("limit=").parse().expect("a number");
    let cursor: u64 = value("cursor=").parse().expect("a number");
    let mut mine: Vec<_> = chats.iter().filter(|(chat, _)| chat.split(':').next() == Some(user)).collect();
    if matches!(fault, Fault::HidesChats) {
        mine.retain(|(chat, _)| !chat.ends_with('7'));
    }
    let last = |stored: &[Stored]| stored.last().expect("never empty").ts;
    mine.sort_by_key(|(_, stored)| std::cmp::Reverse(last(stored)));
    let unread_total: usize = mine.iter().map(|(_, stored)| stored.len()).sum();
    mine.retain(|(_, stored)| cursor == 0 || last(stored) < cursor);
    let has_more = mine.len() > limit;
    mine.truncate(limit);
    let next = mine.last().map_or(0, |(_, stored)| last(stored));
    if matches!(fault, Fault::ShowsOldestFirst) {
        mine.reverse();
    }
    let entries: Vec<String> = mine
        .into_iter()
        .map(|(chat, stored)| {
            let last = stored.last().expect("never empty");
            let (peer, unread) = (&last.sender, stored.len());
            let message = serde_json::to_string(&wire(chat, last)).expect("JSON");
            format!(
                r#"{{"chat":"{chat}","peer":"{peer}","last_message":{message},"unread":{unread},"first_seq":1,"read":{{}},"delivered":{{}}}}"#
            )
        })
        .collect();
    let unread_total = unread_total + usize::from(matches!(fault, Fault::MiscountsUnread));
    let more = if has_more { format!(r#","has_more":true,"next_cursor":{next}"#) } else { String::new() };
    format!(r#"{{"chats":[{}],"unread_total":{unread_total}{more}}}"#, entries.join(","))
}
