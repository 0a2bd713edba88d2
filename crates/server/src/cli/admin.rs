//! The client of a running server's operator socket, for the commands that find its data directory locked.

use super::CliError;
use crate::admin::socket_path;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, Response, body::Incoming, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use std::{
    io::{self, Write},
    path::Path,
};
use tokio::net::UnixStream;

/// Asks the server that holds this data directory.
pub(super) async fn ask(data: &Path, path_and_query: &str) -> Result<Response<Incoming>, CliError> {
    request(data, Method::GET, path_and_query).await
}

/// Tells that server to do something.
pub(super) async fn tell(data: &Path, path_and_query: &str) -> Result<Response<Incoming>, CliError> {
    request(data, Method::POST, path_and_query).await
}

async fn request(data: &Path, method: Method, path_and_query: &str) -> Result<Response<Incoming>, CliError> {
    let path = socket_path(data);
    let failed = |error: &dyn std::fmt::Display| {
        let why = format!("the server that holds {} can't be asked: {error}", data.display());
        CliError::Usage(format!("{why} (its socket is {})", path.display()))
    };
    let stream = UnixStream::connect(&path).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // What fails there fails where the answer is read, too.
    tokio::spawn(async move { drop(connection.await) });
    let request =
        Request::builder().method(method).uri(path_and_query).header(HOST, "localhost").body(Empty::new());
    let request = request.map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(CliError::Refused(all(answer).await?))
}

/// Reads all of an answer that is text.
pub(super) async fn all(answer: Response<Incoming>) -> Result<String, CliError> {
    let mut text = Vec::new();
    pour(answer, &mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes an answer as it comes, up to its end.
pub(super) async fn pour(answer: Response<Incoming>, out: &mut dyn Write) -> Result<(), CliError> {
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| CliError::Refused(format!("the server ended it early: {error}")))?;
        if let Ok(piece) = frame.into_data() {
            out.write_all(&piece).map_err(|error: io::Error| CliError::from(error))?;
        }
    }
    Ok(())
}
