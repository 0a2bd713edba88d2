//! A stream of Server-Sent Events.

use crate::{
    server::Server,
    wire::{Connection, Reply, request},
};
use serde_json::Value;

pub(crate) struct Stream {
    connection: Connection,
    pub(crate) reply: Reply,
    text: Vec<u8>,
}

/// What stands between two blank lines.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) event: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) data: Value,
    pub(crate) is_comment: bool,
}

impl Stream {
    /// Opens the feed of a query such as `user=apple`, and reads the first block, which tells when to come back.
    pub(crate) async fn open(server: &Server, query: &str, headers: &[&str]) -> Self {
        let mut connection = server.connect().await;
        connection.write(request(&format!("GET /api/events?{query}"), headers, "")).await;
        let reply = connection.head().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let mut stream = Self { connection, reply, text: Vec::new() };
        let retry = stream.block().await.expect("a block").retry.expect("retry");
        assert!((1_000..4_000).contains(&retry), "{retry}");
        stream
    }

    /// The next block; `None` at the end of the reply.
    pub(crate) async fn block(&mut self) -> Option<Block> {
        let end = loop {
            if let Some(end) = self.text.windows(2).position(|window| window == b"\n\n") {
                break end + 2;
            }
            let chunk = self.chunk().await?;
            self.text.extend_from_slice(&chunk);
        };
        let rest = self.text.split_off(end);
        let text = String::from_utf8(std::mem::replace(&mut self.text, rest)).expect("UTF-8");
        let mut block = Block::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(':').expect("a field") {
                ("", _) => block.is_comment = true,
                ("event", value) => block.event = Some(value.trim().into()),
                ("id", value) => block.id = Some(value.trim().into()),
                ("retry", value) => block.retry = value.trim().parse().ok(),
                ("data", value) => block.data = serde_json::from_str(value).expect("JSON"),
                other => panic!("{other:?}"),
            }
        }
        Some(block)
    }

    /// The next event, which is of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Block {
        let block = self.block().await.expect("the stream goes on");
        assert_eq!(block.event.as_deref(), Some(kind), "{block:?}");
        if kind != "close" {
            assert_eq!(block.data["type"], kind);
            assert_eq!(block.data["id"].as_str(), block.id.as_deref(), "{block:?}");
        }
        block
    }

    /// Checks that the stream ends with this code.
    pub(crate) async fn closed(&mut self) -> u64 {
        let code = loop {
            let block = self.block().await.expect("a last event");
            if block.event.as_deref() == Some("close") {
                break block.data["code"].as_u64().expect("a code");
            }
        };
        assert!(self.block().await.is_none());
        self.connection.ended().await;
        code
    }

    /// The next chunk of the body.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.extend(self.connection.take(1).await.expect("a chunk's size"));
        }
        let size = str::from_utf8(&size).expect("ASCII").trim();
        let size = usize::from_str_radix(size, 16).expect("a size in hexadecimal");
        let mut chunk = self.connection.take(size + 2).await.expect("a whole chunk");
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }
}
