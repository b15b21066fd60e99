//! Rust's Kafka clients behind JSON lines: requests on stdin, answers and delivery reports on stdout.
//!
//! `drivers rust-rdkafka` or `drivers rskafka`; what the lines mean stands in `conformance/clients/remote.py`.

mod lines;
mod with_rdkafka;
mod with_rskafka;

use lines::{Driver, Request, Trouble, answered, not_sent, say};

fn serve(driver: &mut dyn Driver, line: &str) -> Result<(), Trouble> {
    let request = Request::parse(line)?;
    match request.text("do")? {
        "send" => {
            let ticket = request.handle("ticket")?;
            if let Err(trouble) = driver.send(ticket, &request) {
                not_sent(ticket, trouble);
            }
        }
        verb => say(answered(driver.answer(verb, &request))),
    }
    Ok(())
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut driver: Box<dyn Driver> = match name.as_str() {
        "rust-rdkafka" => Box::<with_rdkafka::Rdkafka>::default(),
        "rskafka" => Box::<with_rskafka::Rskafka>::default(),
        _ => panic!("drivers rust-rdkafka|rskafka"),
    };
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { break };
        if let Err(trouble) = serve(driver.as_mut(), &line) {
            say(answered(Err(trouble)));
        }
    }
}
