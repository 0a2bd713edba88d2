//! Exports and imports through the executable.

use crate::process::{Ended, Server, chinwag, run};
use std::{fs, path::Path};

fn import<const N: usize>(directory: &Path, name: &str, content: &str, more: [&str; N]) -> Ended {
    fs::write(directory.join(name), content).expect("written");
    run(chinwag(directory, ["import", name]).args(more))
}

fn export(directory: &Path) -> String {
    run(&mut chinwag(directory, ["export", "-"])).expect(0).out
}

#[test]
fn a_table_is_imported_in_order_of_time_and_twice_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let table = "\u{feff}Time,text,peer,sender,more\n\
        2023-06-10T13:35:58Z,second,banana,apple,x\n\
        1686404157,\"first, with\na new line\",apple,banana,y\n\
        1686404158000,second,banana,apple,z\n\
        2023-06-10 15:35:59+02:00,note,apple,apple,\n";
    let done = import(dir.path(), "table.csv", table, []).expect(0).out;
    assert!(done.contains("added     4") && done.contains("left out  0"), "{done}");
    let history = export(dir.path());
    insta::assert_snapshot!("an_imported_table", history);
    let again = import(dir.path(), "table.csv", table, []).expect(0).out;
    assert!(again.contains("added     0") && again.contains("there     4"), "{again}");
    // A table that grew at its end.
    let grown = format!("{table}1686404160,third,banana,apple,\n");
    let more = import(dir.path(), "table.csv", &grown, []).expect(0).out;
    assert!(more.contains("added     1"), "{more}");
    // One that has other messages where the store has these.
    let other = "sender,peer,text,time\napple,banana,other,1686404100\n";
    let refused = import(dir.path(), "other.csv", other, []).expect(1);
    refused.says("line 2: sender: the store holds another message in this place");
    // The same rows as NDJSON are the same messages.
    let lines = r#"{"sender":"banana","peer":"apple","text":"first, with\na new line","time":1686404157}
{"sender":"apple","peer":"banana","text":"second","time":"1686404158"}
"#;
    let same = import(dir.path(), "table.ndjson", lines, []).expect(0).out;
    assert!(same.contains("there     2"), "{same}");
    run(&mut chinwag(dir.path(), ["check"])).expect(0);
    assert!(!dir.path().join("chinwag-data/import-scratch").exists());
}

#[test]
fn bad_rows_are_named_by_line_and_field_and_left_out_where_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let table = "sender,peer,text,time\n\
        a,b,good,1686404157\n\
        a,b:c,x,1686404157\n\
        ,b,x,1686404157\n\
        a,b,,1686404157\n\
        a,b,x,yesterday\n\
        a,b,x\n\
        a,b,x,4000000000\n\
        a,b,also good,1686404158\n";
    let refused = import(dir.path(), "table.csv", table, []).expect(1);
    let words = [
        "line 3: peer: ",
        "line 4: sender: ",
        "line 5: text: ",
        "line 6: time: ",
        "line 7: it has 3 fields, and the head has 4",
        "line 8: time: it is more than an hour ahead",
        "6 rows can't be imported, and nothing was",
    ];
    for words in words {
        assert!(refused.err.contains(words), "{words}\n{refused}");
    }
    assert!(!export(dir.path()).contains("message\""), "nothing was imported");
    let done = import(dir.path(), "table.csv", table, ["--skip-bad"]).expect(0).out;
    assert!(done.contains("added     2") && done.contains("left out  6"), "{done}");
    import(dir.path(), "none.csv", "from,peer,text,time\n", [])
        .expect(1)
        .says("the head has no column sender");
    import(
        dir.path(),
        "export.ndjson",
        "{\"type\":\"head\",\"format\":\"chinwag export\",\"version\":9}\n",
        ["--format", "export"],
    )
    .expect(1)
    .says("line 1: version: this export has version 9");
}

#[test]
fn an_export_keeps_everything_and_a_bad_line_is_named() {
    let server = Server::start();
    for (text, key) in [("one", "k1"), ("two", "k2"), ("three", "k3")] {
        run(server.client(["send", "apple:banana", "--as", "apple", "--key", key]).arg(text)).expect(0);
    }
    // The server has the store.
    run(&mut chinwag(server.directory.path(), ["import", "/dev/null"])).expect(2).says("in use");
    let (_, dir) = server.stop();
    let history = export(dir.path());
    assert_eq!(history.lines().count(), 5, "{history}");
    fs::rename(dir.path().join("chinwag-data"), dir.path().join("before")).expect("renamed");
    let lines: Vec<&str> = history.lines().collect();
    let broken =
        [lines[0], lines[1], &lines[2].replace("\"seq\":2", "\"seq\":7"), lines[3], lines[4]].join("\n");
    import(dir.path(), "broken.ndjson", &broken, []).expect(1).says("line 3: seq: 7 stands where 2 belongs");
    let cut = lines[..3].join("\n");
    import(dir.path(), "cut.ndjson", &cut, []).expect(1).says("cut short after line 3");
    let done = import(dir.path(), "history.ndjson", &history, []).expect(0).out;
    assert!(done.contains("added     1") && done.contains("there     2"), "{done}");
    assert_eq!(export(dir.path()), history);
    // A repeat of a send is known by its key.
    let server = Server::start_in(dir, |_| {});
    let again =
        run(&mut server.client(["send", "apple:banana", "two", "--as", "apple", "--key", "k2", "--json"]));
    assert!(again.out.contains("\"seq\":2"), "{again}");
}

#[test]
fn a_users_chats_are_exported_alone_also_from_a_running_server() {
    let server = Server::start();
    for (chat, sender) in
        [("apple:émile", "apple"), ("apple:émile", "émile"), ("apple:pear", "pear"), ("émile:émile", "émile")]
    {
        run(&mut server.client(["send", chat, "hello", "--as", sender])).expect(0);
    }
    let of = |directory: &Path, user: &str| {
        run(&mut chinwag(directory, ["user", "export", user, "-"])).expect(0).out
    };
    let live = of(server.directory.path(), "émile");
    let all = export(server.directory.path());
    assert_eq!(all.lines().count(), 6, "{all}");
    assert_eq!(live.lines().count(), 5, "{live}");
    assert!(!live.contains("pear"), "{live}");
    run(&mut chinwag(server.directory.path(), ["user", "export", "a:b", "-"])).expect(2).says("user: ");
    // By the digest of a text that was taken back it could be guessed. It goes to whose text it was, and to no peer.
    run(&mut server.client(["send", "apple:émile", "oh", "--as", "émile", "--key", "k"])).expect(0);
    run(&mut server.client(["unsend", "apple:émile", "3", "--as", "émile"])).expect(0);
    for (user, told) in [("émile", true), ("apple", false)] {
        let out = of(server.directory.path(), user);
        assert!(out.contains("\"unsent\":true") && out.contains("first_digest") == told, "{user}: {out}");
    }
    let (live, all) = (of(server.directory.path(), "émile"), export(server.directory.path()));
    let (_, dir) = server.stop();
    assert_eq!(of(dir.path(), "émile"), live);
    assert_eq!(export(dir.path()), all);
    assert_eq!(of(dir.path(), "nobody").lines().count(), 2);
}
