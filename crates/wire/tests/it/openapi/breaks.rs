//! What a client of one document would miss in another.
//!
//! A reply may gain keys, statuses and values of `code`; a request may gain optional ones. Anything else breaks somebody.

use serde_json::Value;

/// Every promise of `old` that `new` does not keep, in words.
pub(crate) fn between(old: &Value, new: &Value) -> Vec<String> {
    let mut breaks = Vec::new();
    for (path, methods) in fields(&old["paths"]) {
        for (method, operation) in fields(methods) {
            let at = format!("{method} {path}");
            match new["paths"][path].get(method) {
                None => breaks.push(format!("{at} is gone")),
                Some(now) => of_operation(&at, (old, operation), (new, now), &mut breaks),
            }
        }
    }
    breaks
}

type Of<'a> = (&'a Value, &'a Value);

fn of_operation(at: &str, (old, was): Of<'_>, (new, now): Of<'_>, breaks: &mut Vec<String>) {
    let parameters = |operation: &'_ Value| operation["parameters"].as_array().cloned().unwrap_or_default();
    let is = |a: &Value, b: &Value| (&a["name"], &a["in"]) == (&b["name"], &b["in"]);
    let (before, after) = (parameters(was), parameters(now));
    for parameter in &before {
        let at = format!("{at}: parameter {}", parameter["name"]);
        match after.iter().find(|other| is(parameter, other)) {
            None => breaks.push(format!("{at} is gone")),
            Some(other) => taken(&at, (old, &parameter["schema"]), (new, &other["schema"]), breaks),
        }
    }
    for parameter in after.iter().filter(|parameter| parameter["required"] == true) {
        if !before.iter().any(|other| is(parameter, other) && other["required"] == true) {
            breaks.push(format!("{at}: parameter {} must be given now", parameter["name"]));
        }
    }
    match (was.get("requestBody"), now.get("requestBody")) {
        (Some(was), Some(now)) => {
            let schema = |body: &'_ Value| body["content"]["application/json"]["schema"].clone();
            taken(&format!("{at}: body"), (old, &schema(was)), (new, &schema(now)), breaks);
        }
        (Some(_), None) => breaks.push(format!("{at}: it takes no body now")),
        (None, Some(now)) if now["required"] == true => breaks.push(format!("{at}: it must have a body now")),
        (None, _) => {}
    }
    for (status, response) in fields(&was["responses"]) {
        let Some(other) = now["responses"].get(status) else {
            breaks.push(format!("{at}: {status} is gone"));
            continue;
        };
        for (name, header) in fields(&response["headers"]) {
            let promised = resolve(old, header)["required"] == true;
            let at = format!("{at}: {status} header {name}");
            match other["headers"].get(name) {
                None => breaks.push(format!("{at} is gone")),
                Some(now) if promised && resolve(new, now)["required"] != true => {
                    breaks.push(format!("{at} may be absent now"));
                }
                Some(_) => {}
            }
        }
        for (kind, content) in fields(&response["content"]) {
            let at = format!("{at}: {status} {kind}");
            match other["content"].get(kind) {
                None => breaks.push(format!("{at} is gone")),
                Some(other) => given(&at, (old, &content["schema"]), (new, &other["schema"]), breaks),
            }
        }
    }
}

/// A schema of what the server takes: what was good before must be good now.
fn taken(at: &str, (old, was): Of<'_>, (new, now): Of<'_>, breaks: &mut Vec<String>) {
    let (was, now) = (resolve(old, was), resolve(new, now));
    types(at, was, now, breaks);
    for (bound, tighter) in [
        ("minimum", (|was, now| now > was) as fn(f64, f64) -> bool),
        ("minLength", |was, now| now > was),
        ("minItems", |was, now| now > was),
        ("maximum", |was, now| now < was),
        ("maxLength", |was, now| now < was),
        ("maxItems", |was, now| now < was),
    ] {
        let Some(bound_now) = now[bound].as_f64() else { continue };
        if was[bound].as_f64().is_none_or(|bound_was| tighter(bound_was, bound_now)) {
            breaks.push(format!("{at}: {bound} is tighter"));
        }
    }
    if now.get("pattern").is_some_and(|pattern| was.get("pattern") != Some(pattern)) {
        breaks.push(format!("{at}: pattern is another"));
    }
    for name in required(now).filter(|name| !required(was).any(|before| before == *name)) {
        breaks.push(format!("{at}: {name} must be given now"));
    }
    for (name, property) in fields(&was["properties"]) {
        match now["properties"].get(name) {
            None => breaks.push(format!("{at}: {name} is gone")),
            Some(other) => taken(&format!("{at}.{name}"), (old, property), (new, other), breaks),
        }
    }
    for (was, now) in
        was["anyOf"].as_array().into_iter().flatten().zip(now["anyOf"].as_array().into_iter().flatten())
    {
        taken(at, (old, was), (new, now), breaks);
    }
}

/// A schema of what the server gives: what a client counted on must still be there.
fn given(at: &str, (old, was): Of<'_>, (new, now): Of<'_>, breaks: &mut Vec<String>) {
    let (was, now) = (resolve(old, was), resolve(new, now));
    types(at, was, now, breaks);
    for name in required(was).filter(|name| !required(now).any(|after| after == *name)) {
        breaks.push(format!("{at}: {name} may be absent now"));
    }
    for (name, property) in fields(&was["properties"]) {
        match now["properties"].get(name) {
            None => breaks.push(format!("{at}: {name} is gone")),
            Some(other) => given(&format!("{at}.{name}"), (old, property), (new, other), breaks),
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let (Some(was), Some(now)) = (was.get(inner), now.get(inner)) {
            given(&format!("{at}.{inner}"), (old, was), (new, now), breaks);
        }
    }
    // A code that a client knows must not vanish from a status; others may join it.
    let codes = |schema: &'_ Value| schema["enum"].as_array().cloned().unwrap_or_default();
    for value in codes(was).iter().filter(|value| !codes(now).contains(value)) {
        breaks.push(format!("{at}: {value} is never given now"));
    }
}

fn types(at: &str, was: &Value, now: &Value, breaks: &mut Vec<String>) {
    if was.get("type") != now.get("type") || was.get("const") != now.get("const") {
        breaks.push(format!("{at}: it is of another type"));
    }
}

/// A schema in place of a reference to it. What stands beside a reference only narrows it, and is not looked at, but for the
/// codes of a status.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(_) if schema.get("properties").is_some() => schema,
        Some(reference) => {
            document.pointer(reference.trim_start_matches('#')).expect("a reference that leads somewhere")
        }
        None => schema,
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

mod tests {
    use super::between;
    use chinwag_wire::openapi;
    use serde_json::{Value, json};

    /// What the document would break after this change to it.
    fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let old = openapi("0");
        let mut new = old.clone();
        change(&mut new);
        between(&old, &new)
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: &str) {
        let breaks = after(change);
        assert!(breaks.iter().any(|line| line == expected), "{breaks:#?}");
    }

    fn remove(array: &mut Value, item: &str) {
        array.as_array_mut().expect("an array").retain(|value| value != item);
    }

    #[test]
    fn what_only_grows_breaks_nothing() {
        assert_eq!(after(|_| {}), Vec::<String>::new());
        let grown = after(|new| {
            new["paths"]["/api/new"] = json!({"post": {"responses": {}}});
            new["components"]["schemas"]["Message"]["properties"]["stars"] = json!({"type": "integer"});
            new["components"]["schemas"]["Send"]["properties"]["urgent"] = json!({"type": "boolean"});
            new["paths"]["/api/send"]["post"]["responses"]["418"] = json!({"description": "tea"});
        });
        assert_eq!(grown, Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_breach_is_found() {
        check(
            |new| {
                new["paths"].as_object_mut().expect("paths").remove("/api/typing");
            },
            "post /api/typing is gone",
        );
        check(
            |new| remove(&mut new["components"]["schemas"]["Message"]["required"], "send_time"),
            "post /api/send: 200 application/json: send_time may be absent now",
        );
        check(
            |new| {
                let message = &mut new["components"]["schemas"]["Message"]["properties"];
                message.as_object_mut().expect("properties").remove("key");
            },
            "post /api/send: 200 application/json: key is gone",
        );
        check(
            |new| new["components"]["schemas"]["Message"]["properties"]["text"]["type"] = "array".into(),
            "get /api/pull: 200 application/json.messages.items.text: it is of another type",
        );
        check(
            |new| {
                new["components"]["schemas"]["Send"]["required"]
                    .as_array_mut()
                    .expect("names")
                    .push("key".into());
            },
            "post /api/send: body: key must be given now",
        );
        check(
            |new| new["components"]["schemas"]["Text"]["maxLength"] = 100.into(),
            "post /api/send: body.text: maxLength is tighter",
        );
        check(
            |new| {
                let conflict = "/paths/~1api~1edit/post/responses/409/content/application~1problem+json/schema/properties/code/enum";
                remove(new.pointer_mut(conflict).expect("the codes"), "too_late");
            },
            "post /api/edit: 409 application/problem+json.code: \"too_late\" is never given now",
        );
        check(
            |new| {
                let parameters = &mut new["paths"]["/api/chats"]["get"]["parameters"];
                parameters.as_array_mut().expect("parameters")[1]["required"] = true.into();
            },
            "get /api/chats: parameter \"limit\" must be given now",
        );
        check(
            |new| {
                let responses = &mut new["paths"]["/api/send"]["post"]["responses"];
                responses.as_object_mut().expect("responses").remove("422");
            },
            "post /api/send: 422 is gone",
        );
        check(
            |new| {
                let reply = &mut new["paths"]["/api/send"]["post"]["responses"]["200"];
                reply["headers"].as_object_mut().expect("headers").remove("RateLimit");
            },
            "post /api/send: 200 header RateLimit is gone",
        );
        check(
            |new| new["components"]["headers"]["X-Request-Id"]["required"] = false.into(),
            "get /ping: 200 header X-Request-Id may be absent now",
        );
    }
}
