//! Sessions that listen while others send, all on one thread of their own.

use super::{
    apart::apart,
    session::{Listener, Opened, Session, Told, all_open, open_all},
};
use crate::{
    BenchError, Content, Failure, Server, deliveries::Received, dues::Dues, ledger::Acked, tally::OpTally,
};
use chinwag_model::Side;
use indicatif::ProgressBar;
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinSet};

/// Sessions that are being opened at once.
const OPENING_AT_ONCE: usize = 64;
/// How long what was acknowledged may be on its way after the last reply.
const LATE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether all has come.
const LOOK: Duration = Duration::from_millis(20);

/// The second user of each chat, listening.
pub(super) struct Audience {
    /// What the session of each chat heard.
    heard: Arc<[Mutex<Heard>]>,
    tally: Arc<Mutex<OpTally>>,
    dismiss: oneshot::Sender<()>,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What one session heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// In the order in which it came.
    pub(super) received: Vec<Received>,
    /// The highest `seq`.
    last: u64,
    /// Why it hears no more.
    pub(super) deaf: Option<Failure>,
}

impl Audience {
    /// Opens the sessions and lets them listen.
    pub(super) async fn gather(
        server: &Server,
        content: &Arc<Content>,
        dues: &Arc<Dues>,
        bar: &ProgressBar,
    ) -> Result<Self, BenchError> {
        let chats = content.chats().count();
        let listeners: Arc<[Listener]> =
            (0..chats).map(|chat| Listener { user: content.user(chat, Side::Second), chat }).collect();
        let heard: Arc<[Mutex<Heard>]> = (0..chats).map(|_| Mutex::default()).collect();
        let tally = Arc::new(Mutex::new(OpTally::new()));
        let (to_us, open) = oneshot::channel();
        let (dismiss, dismissed) = oneshot::channel();
        bar.set_length(chats.into());
        bar.set_message("opening sessions");
        let gone = apart({
            let (server, content, dues, bar) = (server.clone(), content.clone(), dues.clone(), bar.clone());
            let (heard, tally) = (heard.clone(), tally.clone());
            move || async move {
                let opened = all_open(open_all(&server, &content, &listeners, OPENING_AT_ONCE, &bar).await);
                let (opened, result) = match opened {
                    Ok(opened) => (opened, Ok(())),
                    Err(error) => (Vec::new(), Err(error)),
                };
                let mut listening = JoinSet::new();
                for (chat, Opened { session, .. }) in opened.into_iter().enumerate() {
                    let (content, dues) = (content.clone(), dues.clone());
                    listening.spawn(listen(session, chat, heard.clone(), tally.clone(), content, dues));
                }
                let _ = to_us.send(result);
                let _ = dismissed.await;
                listening.shutdown().await;
            }
        })?;
        open.await.expect("the thread of the sessions panicked")?;
        Ok(Self { heard, tally, dismiss, gone: Box::pin(gone) })
    }

    /// Waits until all that was acknowledged, sorted, has come, or will not; how long it took.
    pub(super) async fn wait(&self, acked: &[Acked]) -> Duration {
        let start = Instant::now();
        let complete = |last: &Acked| {
            let heard = self.heard[last.chat as usize].lock();
            heard.last >= last.seq || heard.deaf.is_some()
        };
        let all = || acked.chunk_by(|a, b| a.chat == b.chat).filter_map(<[Acked]>::last).all(complete);
        while !all() && start.elapsed() < LATE_MAX {
            tokio::time::sleep(LOOK).await;
        }
        start.elapsed()
    }

    /// Closes the sessions; their latencies, and what each heard.
    pub(super) async fn dismiss(self) -> (OpTally, Vec<Heard>) {
        let _ = self.dismiss.send(());
        self.gone.await;
        let heard = self.heard.iter().map(|heard| std::mem::take(&mut *heard.lock())).collect();
        (self.tally.lock().clone(), heard)
    }
}

async fn listen(
    mut session: Session,
    chat: usize,
    heard: Arc<[Mutex<Heard>]>,
    tally: Arc<Mutex<OpTally>>,
    content: Arc<Content>,
    dues: Arc<Dues>,
) {
    let mut scratch = Vec::new();
    loop {
        match session.next(&content, &mut scratch).await {
            Ok((Told::Message(received), at)) => {
                if let Some((latency, in_time)) = dues.arrived(received.number, at) {
                    tally.lock().succeed(latency, true, in_time);
                }
                let mut heard = heard[chat].lock();
                heard.last = heard.last.max(received.seq);
                heard.received.push(received);
            }
            Ok(_) => {}
            Err(failure) => {
                heard[chat].lock().deaf = Some(failure);
                return;
            }
        }
    }
}
