//! The JSON lines: what a request asks, how it may be refused, and the one way to write to stdout.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

pub enum Trouble {
    /// Kafka's number for the refusal, or -1 when the client hides it.
    Failed(i32, String),
    Unanswered(String),
}

pub type Answer = Result<Value, Trouble>;

pub fn unclear(detail: impl ToString) -> Trouble {
    Trouble::Failed(-1, detail.to_string())
}

/// One client library behind the verbs; `send` has no answer, its outcome is reported later.
pub trait Driver {
    fn answer(&mut self, verb: &str, request: &Request) -> Answer;
    fn send(&mut self, ticket: u64, request: &Request) -> Result<(), Trouble>;
}

pub struct Request(Map<String, Value>);

impl Request {
    pub fn parse(line: &str) -> Result<Request, Trouble> {
        serde_json::from_str(line).map(Request).map_err(unclear)
    }

    fn get<'a, T>(&'a self, name: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T, Trouble> {
        let value = self.0.get(name).unwrap_or(&Value::Null);
        read(value).ok_or_else(|| unclear(format!("{name}: {value}")))
    }

    pub fn text(&self, name: &str) -> Result<&str, Trouble> {
        self.get(name, Value::as_str)
    }

    pub fn number(&self, name: &str) -> Result<i64, Trouble> {
        self.get(name, Value::as_i64)
    }

    pub fn maybe_number(&self, name: &str) -> Option<i64> {
        self.number(name).ok()
    }

    /// A partition, a count, a broker's id: whatever Kafka says in 32 bits.
    pub fn int(&self, name: &str) -> Result<i32, Trouble> {
        self.get(name, |value| value.as_i64()?.try_into().ok())
    }

    pub fn handle(&self, name: &str) -> Result<u64, Trouble> {
        self.get(name, Value::as_u64)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name, Value::as_bool).unwrap_or(false)
    }

    pub fn seconds(&self, name: &str) -> Result<Duration, Trouble> {
        self.get(name, Value::as_f64).map(Duration::from_secs_f64)
    }

    pub fn list(&self, name: &str) -> Result<&Vec<Value>, Trouble> {
        self.get(name, Value::as_array)
    }

    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
        self.get(name, decoded)
    }

    pub fn headers(&self) -> Result<Vec<(&str, Option<Vec<u8>>)>, Trouble> {
        self.get("headers", |pairs| {
            pairs.as_array()?.iter().map(|pair| Some((pair.get(0)?.as_str()?, decoded(pair.get(1)?)?))).collect()
        })
    }

    pub fn texts(&self, name: &str) -> Result<HashMap<&str, &str>, Trouble> {
        self.get(name, |value| value.as_object()?.iter().map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect())
    }

    pub fn options(&self) -> Options<'_> {
        Options(self.0.get("options").unwrap_or(&Value::Null))
    }
}

/// The options of a producer, a consumer or a read; all may be missing.
#[derive(Clone, Copy)]
pub struct Options<'a>(&'a Value);

impl<'a> Options<'a> {
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub fn number(self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    pub fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// None: not base64; Some(None): null.
fn decoded(value: &Value) -> Option<Option<Vec<u8>>> {
    match value {
        Value::Null => Some(None),
        other => BASE64_STANDARD.decode(other.as_str()?).ok().map(Some),
    }
}

pub fn encoded(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| BASE64_STANDARD.encode(bytes).into())
}

pub fn say(line: Value) {
    let mut out = std::io::stdout().lock();
    // Whoever asked may be gone; the end of stdin says so, and then this program ends.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

pub fn answered(answer: Answer) -> Value {
    match answer {
        Ok(result) => json!({"ok": result}),
        Err(Trouble::Failed(code, detail)) => json!({"failed": code, "detail": detail}),
        Err(Trouble::Unanswered(detail)) => json!({"unanswered": detail}),
    }
}

pub fn sent(ticket: u64, partition: i32, offset: i64) {
    say(json!({"sent": ticket, "partition": partition, "offset": offset}));
}

pub fn not_sent(ticket: u64, trouble: Trouble) {
    let (code, detail) = match trouble {
        Trouble::Failed(code, detail) => (code, detail),
        Trouble::Unanswered(detail) => (-1, detail),
    };
    say(json!({"sent": ticket, "failed": code, "detail": detail}));
}
