//! A disk that fills up, with a reserve and without one.

use crate::{
    child::{Server, check_store, serve},
    http::{Answer, Connection},
    ledger::{Ledger, Outcome, Send},
    load::Load,
    random::Random,
    small_disk::on_small_disk,
    watchdog::until,
};
use std::{io, time::Instant};

#[test]
fn at_the_reserve_sends_are_refused_and_come_back_by_themselves() {
    on_small_disk("disk::at_the_reserve_sends_are_refused_and_come_back_by_themselves", 768, |disk| {
        let mut command = serve(&disk.data());
        command.env("CHINWAG_DISK_RESERVE_MIB", "128");
        let server = Server::spawn(command);
        server.await_ready();
        let mut ledger = Ledger::default();
        let mut random = Random::new(21);
        for round in 0..2 {
            // It fills up under load.
            let load = Load::start(server.address(), 8, &format!("reserve.{round}"), &mut random);
            load.await_answers(200, || server.printed());
            disk.fill_to(100);
            let mut connection = server.connect();
            until(
                "a send to be refused with 507",
                || server.printed(),
                || {
                    let answer =
                        connection.send("kiwi:lime", "kiwi", "is there room?", None).expect("an answer");
                    assert!(matches!(answer.status, 200 | 507), "{answer:?}");
                    (answer.status == 507).then(|| assert_eq!(answer.code(), "storage_full", "{answer:?}"))
                },
            );
            ledger.sends.extend(load.finish());
            assert!(disk.free_bytes() >= 90 << 20, "{} bytes are left of the reserve", disk.free_bytes());
            server.await_readyz("readiness to fail", 503);
            let refused = send(&mut ledger, &mut connection, &format!("refused in round {round}"));
            assert_eq!(refused.expect("an answer").status, 507);
            ledger.verify(&server);
            // And there is room again.
            disk.free();
            until(
                "sends to come back by themselves",
                || server.printed(),
                || {
                    let answer = send(&mut ledger, &mut connection, "room again").expect("an answer");
                    (answer.status == 200).then_some(())
                },
            );
            server.await_ready();
        }
        ledger.verify(&server);
        server.stop();
        let server = Server::start(&disk.data());
        ledger.verify(&server);
        server.stop();
        check_store(&disk.data());
    });
}

#[test]
fn without_a_reserve_a_full_disk_ends_the_server_and_loses_nothing() {
    on_small_disk("disk::without_a_reserve_a_full_disk_ends_the_server_and_loses_nothing", 512, |disk| {
        let server = Server::start(&disk.data());
        let mut ledger = Ledger::default();
        let mut connection = server.connect();
        disk.fill_to(2);
        let mut said = None;
        // Ten times what there is room for, so that an end must come.
        let text = "x".repeat(16_000);
        for number in 0..40_000 {
            match send(&mut ledger, &mut connection, &format!("{number} {text}")) {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => {
                    said = Some(answer);
                    break;
                }
                Err(_) => break,
            }
        }
        let stored = ledger.stored();
        let (status, printed) = server.await_end("the server to end by itself when the disk is full");
        assert!(status.code().is_some_and(|code| code != 0), "{status}\n{printed}");
        let said = said.unwrap_or_else(|| panic!("the send was not answered\n{printed}"));
        assert_eq!((said.status, said.code()), (503, "outcome_unknown"), "{said:?}\n{printed}");
        disk.resize(2048);
        let server = Server::start(&disk.data());
        ledger.verify(&server);
        assert_eq!(send(&mut ledger, &mut server.connect(), "room again").expect("an answer").status, 200);
        ledger.verify(&server);
        server.stop();
        check_store(&disk.data());
        println!("{stored} sends were acknowledged until the disk was full");
    });
}

/// Sends once and writes it down.
fn send(ledger: &mut Ledger, connection: &mut Connection, text: &str) -> io::Result<Answer> {
    let began = Instant::now();
    let answer = connection.send("dill:fig", "dill", text, None);
    let outcome = match &answer {
        Ok(answer) if answer.status == 200 => Outcome::Stored(answer.body.clone(), Some(Instant::now())),
        Ok(answer) if answer.code() != "outcome_unknown" => Outcome::NotStored,
        _ => Outcome::Unknown,
    };
    ledger.sends.push(Send {
        chat: "dill:fig".into(),
        sender: "dill".into(),
        text: text.into(),
        key: None,
        began,
        outcome,
    });
    answer
}
