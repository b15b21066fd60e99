import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** One consumer: a group's member, or a reader of one partition without a group. */
final class Reading {
    private static final Map<String, String> STRATEGIES = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> handedOut = new HashMap<>();
    private final String group; // null: none
    private long left; // how many records may still be handed out

    private Reading(Properties conf, Map<String, Object> options) {
        conf.put("enable.auto.commit", "false");
        conf.put("metadata.max.age.ms", "1000");
        conf.put("reconnect.backoff.ms", "20");
        conf.put("reconnect.backoff.max.ms", "200");
        conf.put("retry.backoff.ms", "20");
        conf.put("default.api.timeout.ms", "20000");
        conf.put("request.timeout.ms", "10000");
        if (options.containsKey("max_fetch")) {
            conf.put("max.partition.fetch.bytes", String.valueOf(options.get("max_fetch")));
        }
        if (options.containsKey("isolation")) {
            conf.put("isolation.level", options.get("isolation"));
        }
        group = conf.getProperty("group.id");
        left = (Long) options.getOrDefault("limit", Long.MAX_VALUE);
        consumer = new KafkaConsumer<>(conf, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static Reading member(String bootstrap, String group, Collection<String> topics, Map<String, Object> options) {
        var conf = new Properties();
        conf.put("bootstrap.servers", bootstrap);
        conf.put("group.id", group);
        conf.put("auto.offset.reset", options.getOrDefault("reset", "earliest"));
        conf.put("session.timeout.ms", String.valueOf(options.getOrDefault("session_ms", 6000L)));
        conf.put("heartbeat.interval.ms", "500");
        conf.put("partition.assignment.strategy", STRATEGIES.get(options.getOrDefault("strategy", "range")));
        if (options.get("instance") != null) {
            conf.put("group.instance.id", options.get("instance"));
        }
        var member = new Reading(conf, options);
        member.consumer.subscribe(topics);
        return member;
    }

    private static Reading alone(String bootstrap, Map<String, Object> options) {
        var conf = new Properties();
        conf.put("bootstrap.servers", bootstrap);
        conf.put("auto.offset.reset", "none");
        return new Reading(conf, options);
    }

    static List<Map<String, Object>> range(
            String bootstrap, TopicPartition where, long start, int count, long millis, Map<String, Object> options) {
        var reader = alone(bootstrap, options);
        try {
            reader.consumer.assign(List.of(where));
            reader.consumer.seek(where, start);
            var got = new ArrayList<Map<String, Object>>();
            long deadline = System.nanoTime() + millis * 1_000_000;
            while (got.size() < count) {
                if (System.nanoTime() > deadline) {
                    throw new TimeoutException(got.size() + " of " + count + " records within " + millis + " ms");
                }
                for (var record : reader.consumer.poll(Duration.ofMillis(200))) {
                    got.add(described(record));
                }
            }
            return got;
        } finally {
            reader.close();
        }
    }

    static Long offset(String bootstrap, TopicPartition where, long timestamp) {
        var reader = alone(bootstrap, Map.of());
        try {
            if (timestamp == -1) {
                return reader.consumer.endOffsets(List.of(where)).get(where);
            }
            if (timestamp == -2) {
                return reader.consumer.beginningOffsets(List.of(where)).get(where);
            }
            var found = reader.consumer.offsetsForTimes(Map.of(where, timestamp)).get(where);
            return found == null ? null : found.offset();
        } finally {
            reader.close();
        }
    }

    /** Past its limit a member goes on polling, as one must to stay, with its partitions paused. */
    Map<String, Object> poll(long millis) {
        if (left == 0) {
            consumer.pause(consumer.assignment());
        }
        var records = new ArrayList<Map<String, Object>>();
        for (var record : consumer.poll(Duration.ofMillis(millis))) {
            if (left > 0) {
                left--;
                records.add(described(record));
                handedOut.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
        }
        return Driver.map("records", records, "assignment", assignment());
    }

    List<List<Object>> assignment() {
        var rows = new ArrayList<List<Object>>();
        for (var where : consumer.assignment()) {
            rows.add(List.of(where.topic(), where.partition()));
        }
        return rows;
    }

    void commit(List<List<Object>> offsets) {
        if (offsets == null) {
            handedOut.keySet().retainAll(consumer.assignment());
            consumer.commitSync(handedOut);
            return;
        }
        consumer.commitSync(read(offsets));
    }

    void sendOffsets(KafkaProducer<byte[], byte[]> producer, List<List<Object>> offsets) {
        Client.sendOffsets(producer, read(offsets), consumer, group);
    }

    private static Map<TopicPartition, OffsetAndMetadata> read(List<List<Object>> offsets) {
        var wanted = new HashMap<TopicPartition, OffsetAndMetadata>();
        for (var row : offsets) {
            wanted.put(new TopicPartition((String) row.get(0), Json.number(row.get(1))), new OffsetAndMetadata((Long) row.get(2)));
        }
        return wanted;
    }

    void seek(TopicPartition where, long offset) {
        consumer.seek(where, offset);
        handedOut.remove(where);
    }

    void close() {
        consumer.close(Duration.ofSeconds(5));
    }

    private static Map<String, Object> described(ConsumerRecord<byte[], byte[]> record) {
        var headers = new ArrayList<Object>();
        for (var header : record.headers()) {
            var pair = new ArrayList<Object>();
            pair.add(header.key());
            pair.add(header.value());
            headers.add(pair);
        }
        return Driver.map(
            "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
            "timestamp", record.timestamp(), "key", record.key(), "value", record.value(), "headers", headers);
    }
}
