import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One producer. KafkaProducer.send blocks while it looks for a topic or for room in its buffer, so it is called in a
 * thread of its own, in order, and the conversation goes on.
 */
final class Sending {
    private final KafkaProducer<byte[], byte[]> producer;
    private final Driver.Output output;
    private final ExecutorService sender = Executors.newSingleThreadExecutor(Driver::daemon);
    private int open; // guarded by this: sends without a report

    Sending(String bootstrap, Map<String, Object> options, Driver.Output output) {
        this.output = output;
        long patience = (Long) options.getOrDefault("timeout_ms", 30_000L);
        long linger = (Long) options.getOrDefault("linger_ms", 5L);
        var conf = new Properties();
        conf.put("bootstrap.servers", bootstrap);
        conf.put("compression.type", options.getOrDefault("codec", "none"));
        conf.put("acks", String.valueOf(options.getOrDefault("acks", "all")));
        conf.put("enable.idempotence", String.valueOf(options.getOrDefault("idempotent", false)));
        conf.put("linger.ms", String.valueOf(linger));
        conf.put("max.request.size", String.valueOf(options.getOrDefault("max_request", 1_000_000L)));
        conf.put("max.block.ms", String.valueOf(patience));
        conf.put("delivery.timeout.ms", String.valueOf(patience));
        conf.put("request.timeout.ms", String.valueOf(Math.max(1, Math.min(10_000, patience - linger))));
        conf.put("reconnect.backoff.ms", "20");
        conf.put("reconnect.backoff.max.ms", "200");
        conf.put("retry.backoff.ms", "20");
        if (options.containsKey("batch")) {
            conf.put("batch.size", String.valueOf(options.get("batch")));
        }
        if (options.containsKey("transactional")) {
            conf.put("transactional.id", options.get("transactional"));
            conf.put("transaction.timeout.ms", String.valueOf(options.getOrDefault("transaction_ms", 60_000L)));
            conf.put("enable.idempotence", "true");
        }
        producer = new KafkaProducer<>(conf, new ByteArraySerializer(), new ByteArraySerializer());
        if (options.containsKey("transactional")) {
            try {
                producer.initTransactions();
            } catch (RuntimeException error) {
                close();
                throw error;
            }
        }
    }

    void send(Map<String, Object> request) {
        Object ticket = request.get("ticket");
        Object partition = request.get("partition");
        var record = new ProducerRecord<>(
            (String) request.get("topic"),
            partition == null ? null : Json.number(partition),
            (Long) request.get("timestamp"),
            Json.bytes(request.get("key")),
            Json.bytes(request.get("value")));
        if (request.get("headers") != null) {
            for (var header : Json.rows(request.get("headers"))) {
                record.headers().add(new RecordHeader((String) header.get(0), Json.bytes(header.get(1))));
            }
        }
        synchronized (this) {
            open++;
        }
        sender.execute(() -> {
            try {
                producer.send(record, (sent, error) -> {
                    if (error == null) {
                        report(Driver.map("sent", ticket, "partition", sent.partition(), "offset", sent.offset()));
                    } else {
                        report(failure(ticket, error));
                    }
                });
            } catch (Exception error) { // refused before it was sent
                report(failure(ticket, error));
            }
        });
    }

    private static Map<String, Object> failure(Object ticket, Throwable error) {
        return Driver.map("sent", ticket, "failed", Refusal.code(error), "detail", String.valueOf(error));
    }

    private void report(Map<String, Object> line) {
        output.say(line);
        synchronized (this) {
            open--;
            notifyAll();
        }
    }

    void flush(long millis) throws InterruptedException {
        long deadline = System.nanoTime() + millis * 1_000_000;
        sender.execute(() -> Driver.daemon(producer::flush).start()); // behind all sends; it may take longer than this waits
        synchronized (this) {
            while (open > 0) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return;
                }
                wait(left);
            }
        }
    }

    /** Behind all sends, and waited for. */
    private void inOrder(Runnable step) throws Exception {
        sender.submit(step).get();
    }

    void begin() throws Exception {
        inOrder(producer::beginTransaction);
    }

    void commit() throws Exception {
        inOrder(producer::commitTransaction);
    }

    void abort() throws Exception {
        inOrder(producer::abortTransaction);
    }

    void sendOffsets(Reading from, List<List<Object>> offsets) throws Exception {
        inOrder(() -> from.sendOffsets(producer, offsets));
    }

    void close() {
        sender.shutdown();
        Client.close(producer, Duration.ofSeconds(1));
    }
}
