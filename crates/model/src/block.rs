use crate::{
    Chat, Invalid, Marker, MarkerKind, Markers, Side, Ts, UserId,
    limits::{PAGE_DEFAULT_MESSAGES, PAGE_MAX_MESSAGES},
};

/// A request of one user to block another, or to block one no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The chat of the two.
    pub chat: Chat,
    /// Which of them asks.
    pub by: Side,
    /// Whether the other is to be blocked.
    pub on: bool,
}

/// How a user stands to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The chat of the two.
    pub chat: Chat,
    /// Which of them blocks the other, or does not.
    pub by: Side,
    /// Since when the other is blocked; `None` of one who is not.
    pub since: Option<Ts>,
}

/// A block as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Ts,
    /// Where the markers of the chat's first and second user stood then. While either blocks the other, neither sees the
    /// other's go further.
    pub markers: [Markers; 2],
}

/// A request for one page of the users whom a user blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlocksQuery {
    /// Who blocks.
    pub user: UserId,
    /// Only names after this one, in the order of their bytes.
    pub after: Option<UserId>,
    /// Most names on the page, 1 to [`PAGE_MAX_MESSAGES`].
    pub limit: usize,
}

/// One page of the users whom a user blocks, in the order of their names' bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlocksPage {
    /// Whom, and since when.
    pub entries: Vec<(UserId, Ts)>,
    /// Where the next page begins: to be asked as [`BlocksQuery::after`]. `None` where nothing is left.
    pub next: Option<UserId>,
}

impl Block {
    /// Puts a request together.
    ///
    /// # Errors
    /// [`Invalid`] naming `user` or `peer`; nobody blocks oneself.
    pub fn new(user: &str, peer: &str, on: bool) -> Result<Self, Invalid> {
        let (user, peer) = (UserId::parse("user", user)?, UserId::parse("peer", peer)?);
        if user == peer {
            return Err(Invalid::new("peer", "nobody can block oneself: the peer is the user"));
        }
        let (chat, by) = Chat::of(&user, &peer);
        Ok(Self { chat, by, on })
    }

    /// Who asks.
    pub fn user(&self) -> UserId {
        self.chat.user_id(self.by)
    }
}

impl Blocked {
    /// Who blocks, or does not.
    pub fn user(&self) -> &str {
        self.chat.user(self.by)
    }

    /// Whom.
    pub fn peer(&self) -> &str {
        self.chat.user(self.by.other())
    }
}

impl Hold {
    /// What the user on `side` of a chat sees of its markers, under the blocks of its first and its second user.
    pub fn show(holds: [Option<&Self>; 2], side: Side, mut markers: [Markers; 2]) -> [Markers; 2] {
        let peer = side.other().index();
        for hold in holds.into_iter().flatten() {
            for kind in [MarkerKind::Delivered, MarkerKind::Read] {
                let held: Marker = hold.markers[peer].get(kind);
                let shown = markers[peer].get_mut(kind);
                if held.seq < shown.seq {
                    *shown = held;
                }
            }
        }
        markers
    }
}

impl BlocksQuery {
    /// Puts a query together; a `limit` of 0 is the default, one past the bound is the bound.
    pub fn new(user: UserId, after: Option<UserId>, limit: usize) -> Self {
        let limit = if limit == 0 { PAGE_DEFAULT_MESSAGES } else { limit.min(PAGE_MAX_MESSAGES) };
        Self { user, after, limit }
    }
}

impl BlocksPage {
    /// Fills a page from entries in the order of their names, and ends it at the limit.
    ///
    /// # Errors
    /// The first error of `entries`.
    pub fn fill<E>(
        query: &BlocksQuery,
        entries: impl Iterator<Item = Result<(UserId, Ts), E>>,
    ) -> Result<Self, E> {
        let mut page = Self::default();
        for entry in entries {
            let entry = entry?;
            if page.entries.len() == query.limit {
                page.next = page.entries.last().map(|(last, _)| last.clone());
                break;
            }
            page.entries.push(entry);
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seq;

    #[test]
    fn a_block_is_of_two_users() {
        let block = Block::new("banana", "apple", true).expect("valid");
        assert_eq!(
            (block.chat.as_str(), block.by, block.user().as_str()),
            ("apple:banana", Side::Second, "banana")
        );
        assert_eq!(Block::new("a", "a", true).expect_err("oneself").field, "peer");
        assert_eq!(Block::new("a:", "b", true).expect_err("no name").field, "user");
        assert_eq!(Block::new("a", "", true).expect_err("no name").field, "peer");
    }

    #[test]
    fn what_is_shown_is_where_the_peer_stood_at_the_earliest_block() {
        let at = |seq| Marker { seq: Seq(seq), ts: Ts(seq) };
        let markers = |delivered, read| Markers { delivered: at(delivered), read: at(read) };
        let now = [markers(9, 8), markers(7, 6)];
        let hold = |first, second| Hold { since: Ts(1), markers: [first, second] };
        let (early, late) = (hold(markers(2, 1), markers(5, 0)), hold(markers(3, 3), markers(4, 4)));
        assert_eq!(Hold::show([None, None], Side::First, now), now);
        assert_eq!(Hold::show([Some(&early), None], Side::First, now), [now[0], markers(5, 0)]);
        assert_eq!(Hold::show([Some(&early), Some(&late)], Side::First, now), [now[0], markers(4, 0)]);
        assert_eq!(Hold::show([None, Some(&late)], Side::Second, now), [markers(3, 3), now[1]]);
    }

    #[test]
    fn a_page_says_whether_more_is_left() {
        let user = |name: &str| UserId::parse("user", name).expect("a name");
        let fill = |limit, names: &[&str]| {
            let names = names.iter().map(|name| Ok::<_, ()>((user(name), Ts(1))));
            let page = BlocksPage::fill(&BlocksQuery::new(user("me"), None, limit), names).expect("filled");
            (page.entries.len(), page.next)
        };
        assert_eq!(fill(2, &["a", "b"]), (2, None));
        assert_eq!(fill(2, &["a", "b", "c"]), (2, Some(user("b"))));
        assert_eq!(fill(0, &[]), (0, None));
    }
}
