//! The crate rdkafka: librdkafka under Rust's types, with its defaults unless a request asks for something else.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::lines::{Answer, Driver, Options, Request, Trouble, encoded, not_sent, sent, unclear};

const WAIT: Duration = Duration::from_secs(20);
const TRANSACTION: Duration = Duration::from_secs(30); // for each step of one
const SETTLED: Duration = Duration::from_secs(2); // by then a changed config is to be seen
const AT_MOST: usize = 500; // records in the answer to one poll

impl From<RDKafkaErrorCode> for Trouble {
    fn from(code: RDKafkaErrorCode) -> Trouble {
        match code {
            RDKafkaErrorCode::OperationTimedOut => Trouble::Unanswered(code.to_string()),
            // What librdkafka concludes from metadata in which a topic or a partition isn't there
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition => {
                Trouble::Failed(RDKafkaErrorCode::UnknownTopicOrPartition as i32, code.to_string())
            }
            _ => Trouble::Failed(code as i32, code.to_string()),
        }
    }
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Trouble {
        let code = match &error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        code.map_or_else(|| unclear(&error), Trouble::from)
    }
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
    config
}

/// Where delivery reports arrive, on the producer's own thread.
struct Reports {
    open: AtomicBool,
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, what: &str, text: &str) {
        eprintln!("{what}: {text}");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        if !self.open.load(Ordering::Relaxed) {
            return; // what a closed producer throws away was never answered
        }
        match result {
            Ok(message) => sent(ticket as u64, message.partition(), message.offset()),
            Err((error, _)) => not_sent(ticket as u64, error.clone().into()),
        }
    }
}

fn producer(bootstrap: &str, options: Options) -> Result<ThreadedProducer<Reports>, KafkaError> {
    let acks = options.number("acks").map_or("all".to_owned(), |acks| acks.to_string());
    let mut config = config(bootstrap);
    config
        .set("compression.type", options.text("codec").unwrap_or("none"))
        .set("acks", acks)
        .set("enable.idempotence", options.flag("idempotent").to_string())
        .set("linger.ms", options.number("linger_ms").unwrap_or(5).to_string())
        .set("message.max.bytes", options.number("max_request").unwrap_or(1_000_000).to_string())
        .set("message.timeout.ms", options.number("timeout_ms").unwrap_or(30_000).to_string())
        .set("queue.buffering.max.messages", "1000000");
    if let Some(batch) = options.number("batch") {
        config.set("batch.size", batch.to_string());
    }
    let transactional = options.text("transactional");
    if let Some(id) = transactional {
        let within = options.number("transaction_ms").unwrap_or(60_000);
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", within.to_string())
            .set("message.timeout.ms", options.number("timeout_ms").unwrap_or(30_000).min(within).to_string())
            .set("enable.idempotence", "true");
    }
    let made = ThreadedProducer::from_config_and_context(&config, Reports { open: AtomicBool::new(true) })?;
    if transactional.is_some() {
        made.init_transactions(TRANSACTION)?;
    }
    Ok(made)
}

fn transact(verb: &str, producer: &ThreadedProducer<Reports>) -> Answer {
    match verb {
        "begin" => producer.begin_transaction()?,
        "commit_transaction" => producer.commit_transaction(TRANSACTION)?,
        _ => producer.abort_transaction(TRANSACTION)?,
    }
    Ok(Value::Null)
}

fn send_offsets(producer: &ThreadedProducer<Reports>, from: &Member, wanted: &[Value]) -> Answer {
    let group = from.consumer.group_metadata().ok_or_else(|| unclear("no group"))?;
    producer.send_offsets_to_transaction(&offsets(wanted)?, &group, TRANSACTION)?;
    Ok(Value::Null)
}

/// Keeps the text of the last error: the code alone doesn't say why there is no offset to read from.
#[derive(Default)]
struct Heard(Mutex<String>);

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, what: &str, text: &str) {
        eprintln!("{what}: {text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        eprintln!("{error}: {reason}");
        *self.0.lock().unwrap() = reason.to_owned();
    }
}

impl ConsumerContext for Heard {}

fn consumer(bootstrap: &str, group: &str, options: Options) -> Result<BaseConsumer<Heard>, KafkaError> {
    consumer_that_resets(options.text("reset").unwrap_or("earliest"), bootstrap, group, options)
}

fn consumer_that_resets(
    to: &str,
    bootstrap: &str,
    group: &str,
    options: Options,
) -> Result<BaseConsumer<Heard>, KafkaError> {
    let mut config = config(bootstrap);
    config
        .set("group.id", group)
        .set("auto.offset.reset", to)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false") // each record is stored when it is handed out, and no other
        .set("session.timeout.ms", options.number("session_ms").unwrap_or(6000).to_string())
        .set("heartbeat.interval.ms", "500")
        .set("check.crcs", "true")
        .set("topic.metadata.refresh.interval.ms", "1000");
    let named = [
        ("strategy", "partition.assignment.strategy"),
        ("instance", "group.instance.id"),
        ("isolation", "isolation.level"),
    ];
    for (option, key) in named {
        if let Some(value) = options.text(option) {
            config.set(key, value);
        }
    }
    if let Some(bytes) = options.number("max_fetch") {
        config.set("fetch.message.max.bytes", bytes.to_string());
    }
    BaseConsumer::from_config_and_context(&config, Heard::default())
}

fn record(message: &impl Message) -> Value {
    let headers = message
        .headers()
        .map_or(vec![], |all| all.iter().map(|header| json!([header.key, encoded(header.value)])).collect());
    json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp().to_millis(),
        "key": encoded(message.key()),
        "value": encoded(message.payload()),
        "headers": headers,
    })
}

/// Up to `most` records: waits for the first, takes what is there of the others.
fn poll(
    consumer: &BaseConsumer<Heard>,
    timeout: Duration,
    most: usize,
    mut take: impl FnMut(&str, i32, i64) -> Result<(), KafkaError>,
) -> Result<Vec<Value>, Trouble> {
    let deadline = Instant::now() + timeout;
    let mut records = vec![];
    while records.len() < most {
        let wait = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(if records.is_empty() { wait } else { Duration::ZERO }) {
            Some(Ok(message)) => {
                take(message.topic(), message.partition(), message.offset())?;
                records.push(record(&message));
            }
            Some(Err(error)) => complain(consumer, error)?,
            None if records.is_empty() && !wait.is_zero() => {} // something else happened, a rebalance perhaps
            None => break,
        }
    }
    Ok(records)
}

/// A lost connection is librdkafka's own business; what a broker refused is the caller's.
fn complain(consumer: &BaseConsumer<Heard>, error: KafkaError) -> Result<(), Trouble> {
    use RDKafkaErrorCode::{AllBrokersDown, AutoOffsetReset, BrokerTransportFailure, OffsetOutOfRange, Resolve};
    match error.rdkafka_error_code() {
        Some(AllBrokersDown | BrokerTransportFailure | Resolve) => Ok(()),
        Some(AutoOffsetReset) => {
            let reason = consumer.context().0.lock().unwrap().clone();
            let code = if reason.contains("out of range") { OffsetOutOfRange } else { AutoOffsetReset };
            Err(Trouble::Failed(code as i32, reason))
        }
        _ => Err(error.into()),
    }
}

fn one(topic: &str, partition: i32, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset)?;
    Ok(list)
}

fn read(request: &Request) -> Answer {
    let options = request.options();
    let (topic, partition) = (request.text("topic")?, request.int("partition")?);
    let count = request.number("count")? as usize;
    let deadline = Instant::now() + request.seconds("timeout")?;
    let consumer = consumer_that_resets("error", request.text("bootstrap")?, "reader", options)?;
    consumer.assign(&one(topic, partition, Offset::Offset(request.number("start")?))?)?;
    let mut records = vec![];
    while records.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Unanswered(format!("{} of {count} records", records.len())));
        }
        records.append(&mut poll(&consumer, left, count - records.len(), |_, _, _| Ok(()))?);
    }
    Ok(records.into())
}

fn offset_at(request: &Request) -> Answer {
    let (topic, partition) = (request.text("topic")?, request.int("partition")?);
    let consumer = consumer(request.text("bootstrap")?, "reader", request.options())?;
    let timestamp = request.number("timestamp")?;
    if let -2 | -1 = timestamp {
        let (low, high) = consumer.fetch_watermarks(topic, partition, WAIT)?;
        return Ok(if timestamp == -2 { low } else { high }.into());
    }
    let found = consumer.offsets_for_times(one(topic, partition, Offset::Offset(timestamp))?, WAIT)?;
    let Some(found) = found.find_partition(topic, partition) else {
        return Err(unclear("no answer for the partition"));
    };
    found.error()?;
    Ok(match found.offset() {
        Offset::Offset(offset) => offset.into(),
        _ => Value::Null,
    })
}

fn partitions(request: &Request) -> Answer {
    let topic = request.text("topic")?;
    let consumer = consumer(request.text("bootstrap")?, "reader", request.options())?;
    let metadata = consumer.fetch_metadata(Some(topic), WAIT)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Err(unclear("no answer for the topic"));
    };
    match found.error() {
        Some(code) => Err(RDKafkaErrorCode::from(code).into()),
        None => Ok(found.partitions().len().into()),
    }
}

/// A member, and how many records it may still hand out.
struct Member {
    consumer: BaseConsumer<Heard>,
    left: usize,
}

impl Member {
    fn new(request: &Request) -> Result<Member, Trouble> {
        let options = request.options();
        let consumer = consumer(request.text("bootstrap")?, request.text("group")?, options)?;
        let topics: Vec<&str> = request.list("topics")?.iter().filter_map(Value::as_str).collect();
        consumer.subscribe(&topics)?;
        Ok(Member { consumer, left: options.number("limit").map_or(usize::MAX, |limit| limit as usize) })
    }

    fn poll(&mut self, timeout: Duration) -> Answer {
        let consumer = &self.consumer;
        let store = |topic: &str, partition, offset| consumer.store_offset(topic, partition, offset);
        let records = if self.left > 0 {
            poll(consumer, timeout, self.left.min(AT_MOST), store)?
        } else {
            consumer.pause(&consumer.assignment()?)?;
            poll(consumer, timeout, 1, |_, _, _| Ok(()))?; // it stays a member
            vec![]
        };
        self.left -= records.len();
        Ok(json!({"records": records, "assignment": self.assignment()?}))
    }

    fn assignment(&self) -> Answer {
        let assignment = self.consumer.assignment()?;
        Ok(assignment.elements().iter().map(|found| json!([found.topic(), found.partition()])).collect())
    }

    fn commit(&self, request: &Request) -> Answer {
        let done = match request.list("offsets") {
            Ok(wanted) => self.consumer.commit(&offsets(wanted)?, CommitMode::Sync),
            Err(_) => self.consumer.commit_consumer_state(CommitMode::Sync),
        };
        match done {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) | Ok(()) => Ok(Value::Null),
            Err(error) => Err(error.into()),
        }
    }

    fn seek(&self, request: &Request) -> Answer {
        let offset = Offset::Offset(request.number("offset")?);
        self.consumer.seek(request.text("topic")?, request.int("partition")?, offset, WAIT)?;
        Ok(Value::Null)
    }
}

/// [[topic, partition, offset]…]
fn offsets(wanted: &[Value]) -> Result<TopicPartitionList, Trouble> {
    let mut list = TopicPartitionList::new();
    for entry in wanted {
        let (topic, partition, offset) = (entry[0].as_str(), entry[1].as_i64(), entry[2].as_i64());
        let (Some(topic), Some(partition), Some(offset)) = (topic, partition, offset) else {
            return Err(unclear(entry));
        };
        list.add_partition_offset(topic, partition as i32, Offset::Offset(offset))?;
    }
    Ok(list)
}

struct Admin {
    bootstrap: String,
    client: AdminClient<DefaultClientContext>,
}

/// The only element of an answer, its refusal turned into trouble.
fn only<T, E: Into<Trouble>>(results: Vec<Result<T, E>>) -> Result<T, Trouble> {
    results.into_iter().next().ok_or_else(|| unclear("an empty answer"))?.map_err(Into::into)
}

fn named((_, code): (String, RDKafkaErrorCode)) -> Trouble {
    code.into()
}

impl Admin {
    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(WAIT))
    }

    fn create(&self, request: &Request) -> Answer {
        let configs = request.texts("configs")?;
        let replicas = TopicReplication::Fixed(request.int("replicas")?);
        let mut topic = NewTopic::new(request.text("topic")?, request.int("partitions")?, replicas);
        for (key, value) in &configs {
            topic = topic.set(key, value);
        }
        let options = self.options().operation_timeout(Some(WAIT)).validate_only(request.flag("validate_only"));
        let done = block_on(self.client.create_topics([&topic], &options))?;
        only(done.into_iter().map(|each| each.map_err(named)).collect())?;
        Ok(Value::Null)
    }

    fn delete(&self, topic: &str) -> Answer {
        let options = self.options().operation_timeout(Some(WAIT));
        let done = block_on(self.client.delete_topics(&[topic], &options))?;
        only(done.into_iter().map(|each| each.map_err(named)).collect())?;
        Ok(Value::Null)
    }

    fn topics(&self) -> Answer {
        let metadata = self.client.inner().fetch_metadata(None, WAIT)?;
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), json!(topic.partitions().len()))).collect())
    }

    fn grow(&self, topic: &str, partitions: usize) -> Answer {
        let options = self.options().operation_timeout(Some(WAIT));
        let done = block_on(self.client.create_partitions([&NewPartitions::new(topic, partitions)], &options))?;
        only(done.into_iter().map(|each| each.map_err(named)).collect())?;
        Ok(Value::Null)
    }

    /// Name, value, and whether the resource itself was given it.
    fn configs(&self, resource: ResourceSpecifier) -> Result<Vec<(String, Option<String>, bool)>, Trouble> {
        let found = only(block_on(self.client.describe_configs([&resource], &self.options()))?)?;
        if found.entries.is_empty() {
            return Err(unclear("the crate drops a resource's refusal and shows it without entries"));
        }
        let own = |source| source == ConfigSource::DynamicTopic;
        Ok(found.entries.into_iter().map(|entry| (entry.name, entry.value, own(entry.source))).collect())
    }

    fn listed(&self, resource: ResourceSpecifier) -> Answer {
        Ok(self.configs(resource)?.into_iter().map(|(name, value, _)| (name, json!(value))).collect())
    }

    /// The crate knows AlterConfigs only, which replaces all: what was set before is set again. It drops a refusal, so
    /// that one has to look whether the change came.
    fn alter(&self, topic: &str, changes: HashMap<&str, &str>) -> Answer {
        let resource = ResourceSpecifier::Topic(topic);
        let before = self.configs(resource)?;
        let mut wanted = AlterConfig::new(resource);
        for (name, value, own) in &before {
            if let (true, Some(value)) = (own, value) {
                wanted = wanted.set(name, value);
            }
        }
        wanted.entries.extend(&changes);
        only(
            block_on(self.client.alter_configs([&wanted], &self.options()))?
                .into_iter()
                .map(|each| each.map_err(|(_, code)| Trouble::from(code)))
                .collect(),
        )?;
        let deadline = Instant::now() + SETTLED;
        loop {
            let now = self.configs(resource)?;
            let there = |name: &str, value: &str| now.iter().any(|(n, v, _)| n == name && v.as_deref() == Some(value));
            if changes.iter().all(|(name, value)| there(name, value)) {
                return Ok(Value::Null);
            }
            if Instant::now() > deadline {
                return Err(unclear("nothing changed, and the crate doesn't say why"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Answer {
        let before = if before == -1 { Offset::End } else { Offset::Offset(before) };
        let done = block_on(self.client.delete_records(&one(topic, partition, before)?, &self.options()))?;
        let Some(found) = done.find_partition(topic, partition) else {
            return Err(unclear("no answer for the partition"));
        };
        found.error()?;
        Ok(found.offset().to_raw().into())
    }

    fn groups(&self) -> Answer {
        let found = self.client.inner().fetch_group_list(None, WAIT)?;
        Ok(found.groups().iter().map(|group| group.name()).collect())
    }

    fn members(&self, group: &str) -> Answer {
        let found = self.client.inner().fetch_group_list(Some(group), WAIT)?;
        let members = found.groups().iter().flat_map(|group| group.members());
        Ok(members.map(|member| json!([member.client_id(), null])).collect())
    }

    fn group_state(&self, group: &str) -> Answer {
        let found = self.client.inner().fetch_group_list(Some(group), WAIT)?;
        Ok(found.groups().first().map_or("Dead", |group| group.state()).into())
    }

    fn delete_group(&self, group: &str) -> Answer {
        let done = block_on(self.client.delete_groups(&[group], &self.options()))?;
        only(done.into_iter().map(|each| each.map_err(named)).collect())?;
        Ok(Value::Null)
    }

    /// Offsets are asked for and set by a consumer that joins nothing: the crate's admin client has no way to do it.
    fn outsider(&self, group: &str) -> Result<BaseConsumer<Heard>, KafkaError> {
        let mut config = config(&self.bootstrap);
        config.set("group.id", group).set("enable.auto.commit", "false");
        BaseConsumer::from_config_and_context(&config, Heard::default())
    }

    fn committed(&self, group: &str, topic: &str) -> Answer {
        let consumer = self.outsider(group)?;
        let metadata = consumer.fetch_metadata(Some(topic), WAIT)?;
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|found| found.partitions()) {
            list.add_partition(topic, partition.id());
        }
        let mut found = vec![];
        for element in consumer.committed_offsets(list, WAIT)?.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                found.push(json!([element.partition(), offset]));
            }
        }
        Ok(found.into())
    }

    fn alter_offsets(&self, request: &Request) -> Answer {
        let topic = request.text("topic")?;
        let wanted: Vec<Value> =
            request.list("offsets")?.iter().map(|entry| json!([topic, entry[0], entry[1]])).collect();
        self.outsider(request.text("group")?)?.commit(&offsets(&wanted)?, CommitMode::Sync)?;
        Ok(Value::Null)
    }

    fn brokers(&self) -> Answer {
        let metadata = self.client.inner().fetch_metadata(None, WAIT)?;
        Ok(metadata.brokers().iter().map(|broker| json!([broker.id(), broker.host(), broker.port()])).collect())
    }

    fn answer(&self, verb: &str, request: &Request) -> Answer {
        let (topic, group) = (|| request.text("topic"), || request.text("group"));
        match verb {
            "create" => self.create(request),
            "delete" => self.delete(topic()?),
            "topics" => self.topics(),
            "grow" => self.grow(topic()?, request.number("partitions")? as usize),
            "configs" => self.listed(ResourceSpecifier::Topic(topic()?)),
            "broker_configs" => self.listed(ResourceSpecifier::Broker(request.int("id")?)),
            "alter" => self.alter(topic()?, request.texts("configs")?),
            "delete_records" => self.delete_records(topic()?, request.int("partition")?, request.number("before")?),
            "groups" => self.groups(),
            "members" => self.members(group()?),
            "group_state" => self.group_state(group()?),
            "committed" => self.committed(group()?, topic()?),
            "alter_offsets" => self.alter_offsets(request),
            "delete_group" => self.delete_group(group()?),
            "brokers" => self.brokers(),
            _ => Err(unclear(format!("rdkafka has no way to do {verb}"))),
        }
    }
}

#[derive(Default)]
pub struct Rdkafka {
    handles: u64,
    producers: HashMap<u64, ThreadedProducer<Reports>>,
    members: HashMap<u64, Member>,
    admins: HashMap<u64, Admin>,
}

fn known<T>(found: Option<T>) -> Result<T, Trouble> {
    found.ok_or_else(|| unclear("no such handle"))
}

impl Rdkafka {
    fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    fn hello(&self) -> Answer {
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        Ok(json!({
            "version": format!("rdkafka 0.39.0 (librdkafka {librdkafka})"),
            "cannot": {
                "delete_offsets": "rdkafka has no OffsetDelete",
                "instance ids": "rdkafka's groups show their members without group.instance.id",
            },
            "hides": [3, 40], // in DescribeConfigs and AlterConfigs
        }))
    }
}

impl Driver for Rdkafka {
    fn answer(&mut self, verb: &str, request: &Request) -> Answer {
        match verb {
            "hello" => self.hello(),
            "producer" => {
                let made = producer(request.text("bootstrap")?, request.options())?;
                let handle = self.handle();
                self.producers.insert(handle, made);
                Ok(handle.into())
            }
            "flush" => {
                let producer = known(self.producers.get(&request.handle("producer")?))?;
                let _ = producer.flush(request.seconds("timeout")?); // whatever is left was not reported
                Ok(Value::Null)
            }
            "begin" | "commit_transaction" | "abort" => {
                transact(verb, known(self.producers.get(&request.handle("producer")?))?)
            }
            "send_offsets" => {
                let producer = known(self.producers.get(&request.handle("producer")?))?;
                let member = known(self.members.get(&request.handle("consumer")?))?;
                send_offsets(producer, member, request.list("offsets")?)
            }
            "close_producer" => {
                let producer = known(self.producers.remove(&request.handle("producer")?))?;
                producer.context().open.store(false, Ordering::Relaxed);
                Ok(Value::Null)
            }
            "consumer" => {
                let made = Member::new(request)?;
                let handle = self.handle();
                self.members.insert(handle, made);
                Ok(handle.into())
            }
            "poll" | "assignment" | "commit" | "seek" => {
                let member = known(self.members.get_mut(&request.handle("consumer")?))?;
                match verb {
                    "poll" => member.poll(request.seconds("timeout")?),
                    "assignment" => member.assignment(),
                    "commit" => member.commit(request),
                    _ => member.seek(request),
                }
            }
            "close_consumer" => {
                known(self.members.remove(&request.handle("consumer")?))?;
                Ok(Value::Null)
            }
            "read" => read(request),
            "offset_at" => offset_at(request),
            "partitions" => partitions(request),
            "admin" => {
                let bootstrap = request.text("bootstrap")?;
                let made = Admin { bootstrap: bootstrap.to_owned(), client: config(bootstrap).create()? };
                let handle = self.handle();
                self.admins.insert(handle, made);
                Ok(handle.into())
            }
            "close_admin" => {
                known(self.admins.remove(&request.handle("admin")?))?;
                Ok(Value::Null)
            }
            _ => known(self.admins.get(&request.handle("admin")?))?.answer(verb, request),
        }
    }

    fn send(&mut self, ticket: u64, request: &Request) -> Result<(), Trouble> {
        let producer = known(self.producers.get(&request.handle("producer")?))?;
        let (key, value) = (request.bytes("key")?, request.bytes("value")?);
        let mut record = BaseRecord::with_opaque_to(request.text("topic")?, ticket as usize);
        record.key = key.as_ref();
        record.payload = value.as_ref();
        record.partition = request.int("partition").ok();
        record.timestamp = request.maybe_number("timestamp");
        for (name, value) in request.headers()? {
            let headers = record.headers.take().unwrap_or_else(OwnedHeaders::new);
            record.headers = Some(headers.insert(Header { key: name, value: value.as_ref() }));
        }
        while let Err((error, again)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(10));
            record = again;
        }
        Ok(())
    }
}
