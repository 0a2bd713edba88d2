//! Whether a reply is what the contract says, checked while the load runs and therefore cheaply.

use crate::{Content, Failure, connection::Reply};
use chinwag_model::limits::PAGE_DEFAULT_MESSAGES;
use chinwag_wire::{Problem, PullReply, WireMessage};

/// The status first; a refusal is counted by its code.
pub(crate) fn accepted<'a>(reply: &Reply<'a>) -> Result<&'a [u8], Failure> {
    if reply.status == 200 {
        return Ok(reply.body);
    }
    let code = serde_json::from_slice::<Problem<'_>>(reply.body).map(|problem| problem.code.into_owned());
    Err(Failure::Status { status: reply.status, code: code.unwrap_or_default() })
}

/// The `seq` of a send, which must lie above all that was acknowledged before it began.
pub(crate) fn sent(
    body: &[u8],
    content: &Content,
    (chat, number): (u32, u64),
    floor: u64,
    scratch: &mut Vec<u8>,
) -> Result<u64, Failure> {
    let message: WireMessage<'_> =
        serde_json::from_slice(body).map_err(|_| Failure::Wrong("a send's reply is no message"))?;
    if !content.is(&message, chat, number, scratch) {
        return Err(Failure::Wrong("a send's reply is another message"));
    }
    if message.seq <= floor {
        return Err(Failure::Wrong("a send got a place before one acknowledged earlier"));
    }
    Ok(message.seq)
}

/// The outline of a page; cheap enough for every pull.
pub(crate) fn page_outline(body: &[u8]) -> Result<(), Failure> {
    if body.starts_with(br#"{"messages":["#) && body.ends_with(b"}") {
        Ok(())
    } else {
        Err(Failure::Wrong("a pull's reply is no page"))
    }
}

/// A whole page of the newest 10: the right chat, no gap, newest first, and nothing acknowledged is missing.
pub(crate) fn page_in_full(body: &[u8], chat: &str, floor: u64) -> Result<(), Failure> {
    let page: PullReply<'_> =
        serde_json::from_slice(body).map_err(|_| Failure::Wrong("a pull's reply is no page"))?;
    let newest = page.messages.first().map_or(0, |message| message.seq);
    if newest < floor {
        return Err(Failure::Wrong("a pull misses what was acknowledged before it"));
    }
    let in_order = page.messages.windows(2).all(|pair| pair[1].seq + 1 == pair[0].seq);
    let full =
        u64::try_from(page.messages.len()).is_ok_and(|len| len == newest.min(PAGE_DEFAULT_MESSAGES as u64));
    let more = newest > PAGE_DEFAULT_MESSAGES as u64;
    if !in_order || !full || page.has_more != more || page.next_cursor.is_some() != more {
        return Err(Failure::Wrong("a pull's page has gaps or another size"));
    }
    if page.messages.iter().any(|message| message.chat != chat || message.text.is_empty()) {
        return Err(Failure::Wrong("a pull's page is of another chat"));
    }
    Ok(())
}
