//! The typed client over `https` and `wss`.

use super::{Certificate, authority::Authority};
use crate::{
    server::{Server, Setup},
    wire::within,
};
use chinwag_client::{Client, ClientError, Options, Retry, Trust, Update};
use futures_util::StreamExt as _;

fn client(server: &Server, scheme: &str, host: &str, trust: &Trust) -> Client {
    let options = Options { retry: Retry::never(), ..Options::default() };
    let url = format!("{scheme}://{host}:{}", server.address.port());
    Client::trusting(&url, options, trust).expect("a client")
}

fn trusts(authority: &Authority) -> Trust {
    Trust::Only(authority.pem().into_bytes())
}

#[tokio::test]
async fn sends_pulls_and_feeds() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    for host in ["localhost", "127.0.0.1"] {
        let client = client(&server, "https", host, &trusts(&certificate.authority));
        let mut feed = client.subscribe("banana");
        let ready = within("the feed", feed.next()).await.expect("an update").expect("no error");
        assert!(matches!(ready, Update::Ready { recovered: true, .. }), "{ready:?}");
        let text = format!("to {host}");
        client.send("apple:banana", "apple", &text).await.expect("sent");
        let event = within("the event", feed.next()).await.expect("an update").expect("no error");
        assert!(format!("{event:?}").contains(&text), "{event:?}");
        let mut pages = client.pull("apple:banana").reverse(true).pages();
        let page = pages.next().await.expect("a page").expect("no error");
        assert_eq!(page.messages[0].text, text);
        client.ready().await.expect("ready");
        drop(feed);
    }
    server.stop().await;
}

#[tokio::test]
async fn who_is_not_trusted_is_told_why_and_sent_nothing() {
    let certificate = Certificate::by(Authority::of_name("a namesake"));
    let (tls, setup) = {
        let setup = Setup::memory();
        let tls = certificate.tls(setup.clock.clone());
        (tls.clone(), Setup { tls: Some(tls), ..setup })
    };
    let server = setup.start().await;
    let good = trusts(&certificate.authority);
    let sign = |names: &[&str], from, to| {
        certificate.write(&certificate.authority.sign_from_to(names, from, to));
        let _replaced = tls.look(true);
    };
    let refused = async |trust: &Trust, words: &str| {
        let client = client(&server, "https", "localhost", trust).with_token("secret");
        for error in [
            client.send("apple:banana", "apple", "x").await.map(drop).expect_err(words),
            client.ready().await.expect_err(words),
            client.subscribe("apple").next().await.expect("an end").map(drop).expect_err(words),
        ] {
            assert!(matches!(error, ClientError::Untrusted(_)), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        }
    };
    for stranger in [Authority::new(), Authority::of_name("a namesake")] {
        refused(&trusts(&stranger), "no authority that is trusted here has signed it").await;
    }
    sign(&["other.example.org"], 2000, 4000);
    refused(&good, "it is not for localhost; it names").await;
    sign(&["localhost"], 2000, 2001);
    refused(&good, "it has expired").await;
    sign(&["localhost"], 3999, 4000);
    refused(&good, "it is not valid yet").await;
    sign(&["localhost"], 2000, 4000);
    client(&server, "https", "localhost", &good).ready().await.expect("ready");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_scheme_is_explained() {
    let certificate = Certificate::new();
    let secure = Setup::memory().with(&certificate).start().await;
    let good = trusts(&certificate.authority);
    let error = client(&secure, "http", "localhost", &good).ready().await.expect_err("no TLS");
    let problem = error.problem().expect("a refusal");
    assert_eq!((problem.status, problem.code.as_str()), (400, "bad_request"));
    assert!(problem.detail.contains("https://"), "{problem}");
    secure.stop().await;
    let plain = Setup::memory().start().await;
    let error = client(&plain, "https", "localhost", &good).ready().await.expect_err("no TLS there");
    assert!(error.to_string().contains("speaks no TLS"), "{error}");
    plain.stop().await;
}

#[tokio::test]
async fn whoever_trusts_anyone_shows_no_token() {
    let certificate = Certificate::new();
    let server = Setup::memory().with(&certificate).start().await;
    certificate.write(&certificate.authority.sign_from_to(&["other.example.org"], 2000, 2001));
    let anyone = client(&server, "https", "localhost", &Trust::Anyone);
    anyone.ready().await.expect("ready");
    let anyone = anyone.with_token("secret");
    let error = anyone.ready().await.expect_err("a token");
    assert!(matches!(&error, ClientError::Request(why) if why.contains("no token goes")), "{error:?}");
    let error = anyone.subscribe("apple").next().await.expect("an end").map(drop).expect_err("a token");
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
    server.stop().await;
}

#[test]
fn certificates_that_are_none() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let made = Client::trusting("https://localhost", Options::default(), &Trust::Only(pem.into()));
        let error = made.expect_err("no certificate");
        assert!(error.to_string().contains("no certificate in PEM"), "{error}");
    }
}
