//! What a proxy says before the first byte of a connection that it passes on: the header of the PROXY protocol.

use super::{
    shutdown::{Stop, reached},
    told::Told,
};
use chinwag_model::limits::PREFACE_MAX_BYTES;
use chinwag_peer::{
    Peer,
    preface::{Preface, PrefaceError, read as parse},
};
use std::{io, net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::timeout,
};

/// Why a proxy's connection was closed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("it did not say in time whose the connection is")]
    Late,
    #[error(transparent)]
    Malformed(#[from] PrefaceError),
    #[error(transparent)]
    Gone(#[from] io::Error),
}

/// What reads such headers.
#[derive(Debug, Default)]
pub(super) struct Prefaces {
    told: Told,
}

impl Prefaces {
    /// Whose a connection of `proxy` is. `None` where it did not say so by the rules and in time, or the server ends; then
    /// the connection is to be closed.
    pub(super) async fn read(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        proxy: Peer,
        patience: Duration,
        stop: &mut watch::Receiver<Stop>,
    ) -> Option<Peer> {
        let read = tokio::select! {
            biased;
            () = reached(stop, Stop::Drain) => return None,
            read = timeout(patience, whole(stream)) => read.unwrap_or(Err(Failed::Late)),
        };
        match read {
            Ok(source) => Some(source.map_or(proxy, |address| proxy.speaking_for(address))),
            Err(Failed::Gone(error)) => {
                tracing::debug!(%proxy, %error, "a proxy's connection was gone before its first byte");
                None
            }
            Err(error) => {
                if self.told.may_tell() {
                    tracing::warn!(%proxy, "a proxy's connection was closed: {error}");
                }
                None
            }
        }
    }
}

async fn whole(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, Failed> {
    let mut bytes = Vec::with_capacity(64);
    loop {
        match parse(&bytes)? {
            Preface::Whole(source) => return Ok(source),
            Preface::Needs(more) => {
                let taken = (&mut *stream).take(more as u64).read_buf(&mut bytes).await?;
                if taken == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
        debug_assert!(bytes.len() <= PREFACE_MAX_BYTES);
    }
}
