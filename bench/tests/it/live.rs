//! The scripted server's feeds, on WebSockets.

use crate::server::{Fault, State, Stored, wire};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

/// What is to be written to a session.
type Outbox = UnboundedSender<Vec<u8>>;

/// What each user was told, and who listens. The id of an event is its place in the log.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    log: Vec<(String, String)>,
    sessions: HashMap<String, Vec<Outbox>>,
}

impl Feeds {
    /// Tells both users of a chat. The first 100 sends are told well.
    pub(crate) fn publish(&mut self, chat: &str, stored: &Stored, fault: Fault, count: u64) {
        let hits = |every| count > 100 && count.is_multiple_of(every);
        let mut stored = stored.clone();
        let times = match fault {
            Fault::DeliversNot(every) if hits(every) => 0,
            Fault::DeliversTwice(every) if hits(every) => 2,
            Fault::DeliversAnother(every) if hits(every) => {
                stored.text.push('!');
                1
            }
            _ => 1,
        };
        let closes = matches!(fault, Fault::ClosesSessions(every) if hits(every));
        for user in chat.split(':') {
            let outboxes = self.sessions.entry(user.to_owned()).or_default();
            if closes {
                for outbox in outboxes.iter() {
                    drop(outbox.send(vec![0x88, 2, 0x11, 0x38]));
                }
            }
            for _ in 0..times {
                let message = serde_json::to_string(&wire(chat, &stored)).expect("JSON");
                let id = self.log.len() + 1;
                let event = format!(r#"{{"type":"message","id":"{id}","message":{message}}}"#);
                for outbox in outboxes.iter() {
                    drop(outbox.send(text(&event)));
                }
                self.log.push((user.to_owned(), event));
            }
        }
    }

    /// A session begins: what was missed, and `ready`.
    fn begin(&mut self, user: &str, since: Option<usize>, fault: Fault, outbox: Outbox) {
        let recovered = since.is_none() || !matches!(fault, Fault::Forgets);
        let missed = self.log[since.unwrap_or(self.log.len())..].iter().filter(|(of, _)| of == user);
        missed.for_each(|(_, event)| drop(outbox.send(text(event))));
        // A ping first, which a client answers without a word to its user.
        let _ = outbox.send(vec![0x89, 1, b'?']);
        let id = self.log.len();
        let ready = format!(r#"{{"type":"ready","id":"{id}","recovered":{recovered}}}"#);
        let _ = outbox.send(text(&ready));
        self.sessions.entry(user.to_owned()).or_default().push(outbox);
    }
}

/// Serves a session until its client goes.
pub(crate) async fn serve(stream: TcpStream, state: &Arc<Mutex<State>>, query: &str, fault: Fault) {
    let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let user = value("user=").expect("a user");
    let since = value("since=").map(|id| id.parse().expect("an id of ours"));
    let (mut from, mut to) = stream.into_split();
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    if to.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let (outbox, mut out) = unbounded_channel::<Vec<u8>>();
    state.lock().feeds.begin(user, since, fault, outbox);
    let mut bytes = Vec::new();
    loop {
        tokio::select! {
            frame = out.recv() => {
                let frame = frame.expect("the feeds keep its sender");
                if to.write_all(&frame).await.is_err() {
                    return;
                }
            }
            read = from.read_buf(&mut bytes) => match read {
                Ok(read) if read > 0 => {
                    // All that a client of the generator says: the pong.
                    assert_eq!(bytes, [0x8A, 0x81, 0, 0, 0, 0, b'?'][..bytes.len()]);
                }
                _ => return,
            }
        }
    }
}

/// A text frame.
fn text(json: &str) -> Vec<u8> {
    let length = u16::try_from(json.len()).expect("a short event");
    let head = if length < 126 {
        vec![0x81, u8::try_from(length).expect("below 126")]
    } else {
        [&[0x81, 126][..], &length.to_be_bytes()].concat()
    };
    [head.as_slice(), json.as_bytes()].concat()
}
