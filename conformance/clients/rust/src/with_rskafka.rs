//! The crate rskafka: partitions, topics and no groups; it writes with acks=all and neither a producer id nor a partitioner.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rskafka::chrono::{DateTime, Utc};
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::producer::aggregator::RecordAggregator;
use rskafka::client::producer::{BatchProducer, BatchProducerBuilder, Error as ProducerError};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use rskafka::{BackoffConfig, BackoffError};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use crate::lines::{Answer, Driver, Request, Trouble, encoded, not_sent, sent, unclear};

const WAIT: Duration = Duration::from_secs(20);
const FRAMES: usize = 200; // bytes that a batch has beyond what rskafka counts of a large record
const NO_GROUPS: &str = "rskafka has no consumer groups";
const NOT_IN_ADMIN: &str = "rskafka's controller client only creates and deletes topics";
const CANNOT: &[(&str, &str)] = &[
    ("groups", NO_GROUPS),
    ("members", NO_GROUPS),
    ("group_state", NO_GROUPS),
    ("committed", NO_GROUPS),
    ("commit offsets", NO_GROUPS),
    ("alter_offsets", NO_GROUPS),
    ("delete_offsets", NO_GROUPS),
    ("delete_group", NO_GROUPS),
    ("delete group", NO_GROUPS),
    ("cooperative-sticky", NO_GROUPS),
    ("static", NO_GROUPS),
    ("seek", NO_GROUPS),
    ("grow", NOT_IN_ADMIN),
    ("configs", NOT_IN_ADMIN),
    ("alter", NOT_IN_ADMIN),
    ("brokers", NOT_IN_ADMIN),
    ("broker_configs", NOT_IN_ADMIN),
    ("topic configs", "rskafka creates topics without configs"),
    ("validate_only", "rskafka's create_topic has no validate_only"),
    ("idempotent", "rskafka has no producer ids"),
    ("transactions", "rskafka has no producer ids"),
    ("acks 0", "rskafka always writes with acks=all"),
    ("acks 1", "rskafka always writes with acks=all"),
    ("headers", "rskafka keeps a record's headers in a map: each name once, in its order, never null"),
    ("null header", "rskafka's headers are never null"),
    ("append time", "rskafka shows the time the producer gave, also where a batch says that the broker's counts"),
    ("isolation", "rskafka always reads read_committed"),
];

fn number(error: ProtocolError) -> i32 {
    use ProtocolError::*;
    match error {
        Unknown(code) => code.into(),
        OffsetOutOfRange => 1,
        CorruptMessage => 2,
        UnknownTopicOrPartition => 3,
        LeaderNotAvailable => 5,
        NotLeaderOrFollower => 6,
        RequestTimedOut => 7,
        MessageTooLarge => 10,
        InvalidTopicException => 17,
        RecordListTooLarge => 18,
        NotEnoughReplicas => 19,
        InvalidTimestamp => 32,
        UnsupportedVersion => 35,
        TopicAlreadyExists => 36,
        InvalidPartitions => 37,
        InvalidReplicationFactor => 38,
        InvalidConfig => 40,
        InvalidRequest => 42,
        PolicyViolation => 44,
        KafkaStorageError => 56,
        UnsupportedCompressionType => 76,
        InvalidRecord => 87,
        _ => -1,
    }
}

/// rskafka retries on its own until its deadline; what it heard last says more than that it gave up.
fn trouble(error: &Error) -> Trouble {
    match error {
        Error::ServerError { protocol_error, .. } => Trouble::Failed(number(*protocol_error), error.to_string()),
        Error::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => match source.downcast_ref::<Error>() {
            Some(last @ Error::ServerError { .. }) => trouble(last),
            _ => Trouble::Unanswered(error.to_string()),
        },
        Error::Timeout => Trouble::Unanswered(error.to_string()),
        _ => unclear(error),
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        trouble(&error)
    }
}

impl From<ProducerError> for Trouble {
    fn from(error: ProducerError) -> Trouble {
        match &error {
            ProducerError::Client(inner) => trouble(inner),
            ProducerError::TooLarge => Trouble::Failed(10, error.to_string()),
            _ => unclear(error),
        }
    }
}

async fn within<T, E: Into<Trouble>>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, Trouble> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Trouble::Unanswered(format!("nothing within {limit:?}"))),
    }
}

async fn client(bootstrap: &str, patience: Duration) -> Result<Client, Trouble> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(20),
        max_backoff: Duration::from_millis(200),
        base: 2.0,
        deadline: Some(patience),
    };
    within(WAIT, ClientBuilder::new(vec![bootstrap.to_owned()]).backoff_config(backoff).build()).await
}

async fn partition_client(client: &Client, topic: &str, partition: i32) -> Result<PartitionClient, Trouble> {
    within(WAIT, client.partition_client(topic, partition, UnknownTopicHandling::Error)).await
}

async fn count(client: &Client, topic: &str) -> Result<i32, Trouble> {
    let topics = within(WAIT, client.list_topics()).await?;
    if let Some(found) = topics.iter().find(|found| found.name == topic) {
        return Ok(found.partitions.len() as i32);
    }
    partition_client(client, topic, 0).await?; // says why the topic isn't listed
    Err(unclear("a topic that has partitions and isn't listed"))
}

fn moment(milliseconds: i64) -> Result<DateTime<Utc>, Trouble> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| unclear(format!("timestamp: {milliseconds}")))
}

fn record(topic: &str, partition: i32, found: &RecordAndOffset) -> Value {
    let headers: Vec<Value> =
        found.record.headers.iter().map(|(name, value)| json!([name, encoded(Some(value))])).collect();
    json!({
        "topic": topic,
        "partition": partition,
        "offset": found.offset,
        "timestamp": found.record.timestamp.timestamp_millis(),
        "key": encoded(found.record.key.as_deref()),
        "value": encoded(found.record.value.as_deref()),
        "headers": headers,
    })
}

async fn read(request: &Request) -> Answer {
    let (topic, partition) = (request.text("topic")?, request.int("partition")?);
    let count = request.number("count")? as usize;
    let most = request.options().number("max_fetch").unwrap_or(52_428_800) as i32;
    let client = client(request.text("bootstrap")?, WAIT).await?;
    let reader = partition_client(&client, topic, partition).await?;
    let mut next = request.number("start")?;
    let mut records = vec![];
    let all = async {
        while records.len() < count {
            let (found, _) = reader.fetch_records(next, 1..most, 500).await?;
            next = found.last().map_or(next, |last| last.offset + 1);
            records.extend(found.iter().map(|each| record(topic, partition, each)));
        }
        Ok::<(), Error>(())
    };
    within(request.seconds("timeout")?, all).await?;
    Ok(records.into())
}

async fn offset_at(request: &Request) -> Answer {
    let at = match request.number("timestamp")? {
        -2 => OffsetAt::Earliest,
        -1 => OffsetAt::Latest,
        time => OffsetAt::Timestamp(moment(time)?),
    };
    let client = client(request.text("bootstrap")?, WAIT).await?;
    let asked = partition_client(&client, request.text("topic")?, request.int("partition")?).await?;
    let offset = within(WAIT, asked.get_offset(at)).await?;
    Ok(if offset < 0 { Value::Null } else { offset.into() })
}

/// How many records have been sent and not yet reported.
#[derive(Default)]
struct Waiting(Mutex<usize>, Condvar);

impl Waiting {
    fn begin(&self) {
        *self.0.lock().unwrap() += 1;
    }

    fn end(&self) {
        *self.0.lock().unwrap() -= 1;
        self.1.notify_all();
    }

    fn none_within(&self, limit: Duration) {
        let waiting = self.0.lock().unwrap();
        drop(self.1.wait_timeout_while(waiting, limit, |left| *left > 0).unwrap());
    }
}

type Batches = Arc<BatchProducer<RecordAggregator>>;

struct Producer {
    client: Client,
    codec: Compression,
    linger: Duration,
    batch: usize,
    patience: Duration,
    waiting: Arc<Waiting>,
    partitions: HashMap<(String, i32), Batches>,
    counts: HashMap<String, i32>,
    keyless: u64,
}

impl Producer {
    async fn new(request: &Request) -> Result<Producer, Trouble> {
        let options = request.options();
        let number = |name, default: u64| options.number(name).map_or(default, |value| value as u64);
        let patience = Duration::from_millis(number("timeout_ms", 30_000));
        let codec = match options.text("codec") {
            None | Some("none") => Compression::NoCompression,
            Some("gzip") => Compression::Gzip,
            Some("snappy") => Compression::Snappy,
            Some("lz4") => Compression::Lz4,
            Some("zstd") => Compression::Zstd,
            Some(other) => return Err(unclear(other)),
        };
        Ok(Producer {
            client: client(request.text("bootstrap")?, patience).await?,
            codec,
            linger: Duration::from_millis(number("linger_ms", 5)),
            batch: number("batch", number("max_request", 1_000_000)) as usize,
            patience,
            waiting: Arc::default(),
            partitions: HashMap::new(),
            counts: HashMap::new(),
            keyless: 0,
        })
    }

    /// rskafka leaves the choice to its user: equal keys go together, those without one go round.
    async fn chosen(&mut self, topic: &str, key: Option<&[u8]>) -> Result<i32, Trouble> {
        let count = match self.counts.get(topic) {
            Some(count) => *count,
            None => count(&self.client, topic).await?,
        };
        self.counts.insert(topic.to_owned(), count);
        let mut hasher = DefaultHasher::new();
        match key {
            Some(key) => key.hash(&mut hasher),
            None => self.keyless += 1,
        }
        let number = if key.is_some() { hasher.finish() } else { self.keyless };
        Ok((number % count as u64) as i32)
    }

    async fn batches(&mut self, topic: &str, partition: i32) -> Result<Batches, Trouble> {
        let place = (topic.to_owned(), partition);
        if let Some(batches) = self.partitions.get(&place) {
            return Ok(Arc::clone(batches));
        }
        let to = Arc::new(partition_client(&self.client, topic, partition).await?);
        let made = BatchProducerBuilder::new(to).with_linger(self.linger).with_compression(self.codec);
        let batches = Arc::new(made.build(RecordAggregator::new(self.batch.saturating_sub(FRAMES))));
        self.partitions.insert(place, Arc::clone(&batches));
        Ok(batches)
    }

    async fn send(&mut self, ticket: u64, request: &Request, runtime: &Handle) -> Result<(), Trouble> {
        let topic = request.text("topic")?;
        let mut headers = BTreeMap::new();
        for (name, value) in request.headers()? {
            headers.insert(name.to_owned(), value.ok_or_else(|| unclear("a null header"))?);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(unclear)?.as_millis() as i64;
        let timestamp = moment(request.maybe_number("timestamp").unwrap_or(now))?;
        let record = Record { key: request.bytes("key")?, value: request.bytes("value")?, headers, timestamp };
        let partition = match request.int("partition") {
            Ok(partition) => partition,
            Err(_) => self.chosen(topic, record.key.as_deref()).await?,
        };
        let batches = self.batches(topic, partition).await?;
        let (waiting, patience) = (Arc::clone(&self.waiting), self.patience);
        waiting.begin();
        runtime.spawn(async move {
            match within(patience, batches.produce(record)).await {
                Ok(offset) => sent(ticket, partition, offset),
                Err(trouble) => not_sent(ticket, trouble),
            }
            waiting.end();
        });
        Ok(())
    }
}

async fn create(client: &Client, request: &Request) -> Answer {
    if request.flag("validate_only") || !request.texts("configs")?.is_empty() {
        return Err(unclear("rskafka creates topics without configs, and really"));
    }
    let (topic, partitions) = (request.text("topic")?, request.int("partitions")?);
    let replicas = request.int("replicas")? as i16;
    within(WAIT, client.controller_client()?.create_topic(topic, partitions, replicas, 20_000)).await?;
    Ok(Value::Null)
}

async fn delete(client: &Client, topic: &str) -> Answer {
    within(WAIT, client.controller_client()?.delete_topic(topic, 20_000)).await?;
    Ok(Value::Null)
}

async fn topics(client: &Client) -> Answer {
    let topics = within(WAIT, client.list_topics()).await?;
    Ok(topics.into_iter().map(|topic| (topic.name, json!(topic.partitions.len()))).collect())
}

async fn delete_records(client: &Client, request: &Request) -> Answer {
    let of = partition_client(client, request.text("topic")?, request.int("partition")?).await?;
    within(WAIT, of.delete_records(request.number("before")?, 20_000)).await?;
    Ok(within(WAIT, of.get_offset(OffsetAt::Earliest)).await?.into()) // delete_records doesn't say it
}

pub struct Rskafka {
    runtime: Handle,
    handles: u64,
    producers: HashMap<u64, Producer>,
    admins: HashMap<u64, Client>,
}

impl Default for Rskafka {
    /// One thread drives it all, because tasks that start in order then run in order: rskafka sends a partition's
    /// batches from tasks of their own.
    fn default() -> Rskafka {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        Rskafka { runtime: handle, handles: 0, producers: HashMap::new(), admins: HashMap::new() }
    }
}

fn known<T>(found: Option<T>) -> Result<T, Trouble> {
    found.ok_or_else(|| unclear("no such handle"))
}

impl Rskafka {
    fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }
}

impl Driver for Rskafka {
    fn answer(&mut self, verb: &str, request: &Request) -> Answer {
        let runtime = self.runtime.clone();
        match verb {
            "hello" => {
                let cannot: HashMap<&str, &str> = CANNOT.iter().copied().collect();
                Ok(json!({"version": "rskafka 0.6.0", "cannot": cannot, "hides": []}))
            }
            "producer" => {
                let made = runtime.block_on(Producer::new(request))?;
                let handle = self.handle();
                self.producers.insert(handle, made);
                Ok(handle.into())
            }
            "flush" => {
                let producer = known(self.producers.get(&request.handle("producer")?))?;
                producer.waiting.none_within(request.seconds("timeout")?);
                Ok(Value::Null)
            }
            "close_producer" => {
                known(self.producers.remove(&request.handle("producer")?))?;
                Ok(Value::Null)
            }
            "read" => runtime.block_on(read(request)),
            "offset_at" => runtime.block_on(offset_at(request)),
            "partitions" => runtime.block_on(async {
                let client = client(request.text("bootstrap")?, WAIT).await?;
                Ok(count(&client, request.text("topic")?).await?.into())
            }),
            "admin" => {
                let made = runtime.block_on(client(request.text("bootstrap")?, WAIT))?;
                let handle = self.handle();
                self.admins.insert(handle, made);
                Ok(handle.into())
            }
            "close_admin" => {
                known(self.admins.remove(&request.handle("admin")?))?;
                Ok(Value::Null)
            }
            "create" | "delete" | "topics" | "delete_records" => {
                let admin = known(self.admins.get(&request.handle("admin")?))?;
                match verb {
                    "create" => runtime.block_on(create(admin, request)),
                    "delete" => runtime.block_on(delete(admin, request.text("topic")?)),
                    "topics" => runtime.block_on(topics(admin)),
                    _ => runtime.block_on(delete_records(admin, request)),
                }
            }
            _ => Err(unclear(format!("rskafka has no way to do {verb}"))),
        }
    }

    fn send(&mut self, ticket: u64, request: &Request) -> Result<(), Trouble> {
        let runtime = self.runtime.clone();
        let producer = known(self.producers.get_mut(&request.handle("producer")?))?;
        runtime.block_on(producer.send(ticket, request, &runtime))
    }
}
