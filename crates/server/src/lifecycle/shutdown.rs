//! Who says when the server ends.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    Run,
    Drain,
    Now,
}

/// Waits until the end has come so far, or its sender is gone, which means as much.
pub(super) async fn reached(stop: &mut watch::Receiver<Stop>, level: Stop) {
    let _gone_or_reached = stop.wait_for(|now| *now >= level).await;
}

/// Asks a server to end.
#[derive(Debug, Clone)]
pub struct Trigger(watch::Sender<Stop>);

impl Trigger {
    /// The first call asks for an orderly end, the second for an end at once.
    pub fn fire(&self) {
        self.0.send_modify(|stop| *stop = if *stop == Stop::Run { Stop::Drain } else { Stop::Now });
    }
}

/// What a server listens to for its end. It ends nothing when its [`Trigger`] is dropped.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stop: watch::Receiver<Stop>,
    /// Keeps the channel open.
    _trigger: Trigger,
}

impl Shutdown {
    /// A handle to give to a server, and what fires it.
    pub fn new() -> (Trigger, Self) {
        let trigger = Trigger(watch::Sender::new(Stop::Run));
        (trigger.clone(), Self { stop: trigger.0.subscribe(), _trigger: trigger })
    }

    /// Waits for the first request to end.
    pub async fn asked(&mut self) {
        reached(&mut self.stop, Stop::Drain).await;
    }

    /// Waits for the second.
    pub(super) async fn insisted(&mut self) {
        reached(&mut self.stop, Stop::Now).await;
    }
}

/// A shutdown that SIGTERM and SIGINT fire, from now on. To be called within a runtime.
///
/// # Errors
/// The system does not let us listen to signals.
pub fn on_signals() -> io::Result<Shutdown> {
    let (trigger, shutdown) = Shutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "signalled to end");
            trigger.fire();
        }
    });
    Ok(shutdown)
}
