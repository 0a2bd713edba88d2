//! Pages: whole, in order, and with all that had been heard of before they were asked for.

use super::{Facts, Promise};
use crate::history::{Call, Moment, Reply};

pub(super) fn judge(facts: &mut Facts<'_>) {
    for record in facts.records {
        let (Call::Pull { chat, limit, cursor, reverse }, Reply::Page { messages, next }) =
            (&record.call, &record.reply)
        else {
            continue;
        };
        let name = format!("the page of {chat} from {cursor}, reverse {reverse},");
        let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
        let highest = facts.highest(chat, record.began);
        let step =
            |from: u64, to: u64| if *reverse { from.checked_sub(1) == Some(to) } else { from + 1 == to };
        if messages.iter().any(|message| message.chat != *chat) {
            facts.accuse(Promise::Pages, format!("{name} holds messages of another chat"));
        }
        if seqs.windows(2).any(|pair| !step(pair[0], pair[1])) {
            facts.accuse(Promise::Pages, format!("{name} skips or repeats: {seqs:?}"));
            passed_over(&name, chat, &seqs, record.began, facts);
        }
        let starts_well = match (seqs.first(), reverse) {
            (None, _) => true,
            (Some(&first), false) => first == cursor + 1,
            // Past the end it starts at the end, which may have moved meanwhile.
            (Some(&first), true) if *cursor == 0 || *cursor > highest => first >= highest,
            (Some(&first), true) => first == *cursor,
        };
        if !starts_well {
            facts.accuse(
                Promise::Pages,
                format!("{name} begins at {:?}, and {highest} had been heard of", seqs[0]),
            );
        }
        let last = seqs.last().copied();
        let place = last.map(|last| if *reverse { last - 1 } else { last });
        if next.is_some() && *next != place {
            facts.accuse(Promise::Pages, format!("{name} ends at {last:?} and goes on at {next:?}"));
        }
        if seqs.len() as u64 > *limit {
            facts.accuse(Promise::Pages, format!("{name} holds {} of {limit}", seqs.len()));
        }
        // Where nothing is left, nothing that had been heard of may be missing.
        let whole = match (reverse, last) {
            _ if next.is_some() => true,
            (false, Some(last)) => last >= highest,
            (false, None) => *cursor >= highest,
            (true, Some(last)) => last == 1,
            (true, None) => highest == 0,
        };
        if !whole {
            let how =
                format!("{name} ends at {last:?} and says that nothing is left; {highest} had been heard of");
            facts.accuse(Promise::NotLost, how);
        }
    }
}

/// What had been heard of and is passed over is lost.
fn passed_over(name: &str, chat: &str, seqs: &[u64], began: Moment, facts: &mut Facts<'_>) {
    let (Some(least), Some(most)) = (seqs.iter().min(), seqs.iter().max()) else { return };
    let lost: Vec<u64> = facts
        .messages
        .range((chat, *least)..=(chat, *most))
        .filter(|((_, seq), known)| known.heard < began && !seqs.contains(seq))
        .map(|((_, seq), _)| *seq)
        .collect();
    if !lost.is_empty() {
        facts.accuse(Promise::NotLost, format!("{name} passes over {lost:?}, which had been heard of"));
    }
}
