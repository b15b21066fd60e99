import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Consume, transform, produce as Kafka's documentation describes it: what was polled is written in a transaction that takes the
 * offsets along, under the member's group metadata.
 *
 * Usage: Mover BOOTSTRAP PREFIX TRANSACTIONAL_ID. Moves PREFIXin to the same partitions of PREFIXout. A transaction that fails is
 * aborted and the consumer set back to what is committed; whoever is fenced ends with exit code 3 and leaves the rest to its
 * successor.
 */
final class Mover {
    private Mover() {
    }

    public static void main(String[] args) {
        String group = args[1] + "movers";
        Map<String, Object> reading = Map.of(
            "bootstrap.servers", args[0], "group.id", group, "enable.auto.commit", "false",
            "auto.offset.reset", "earliest", "isolation.level", "read_committed", "max.poll.records", "20",
            "session.timeout.ms", "4000", "heartbeat.interval.ms", "1000");
        Map<String, Object> writing = Map.of(
            "bootstrap.servers", args[0], "transactional.id", args[2], "transaction.timeout.ms", "10000", "linger.ms", "1");
        var bytes = new ByteArrayDeserializer();
        var consumer = new KafkaConsumer<>(reading, bytes, bytes);
        var producer = new KafkaProducer<>(writing, new ByteArraySerializer(), new ByteArraySerializer());
        var main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join(15_000);
            } catch (InterruptedException ignored) {
                Thread.currentThread().interrupt();
            }
        }));
        try {
            producer.initTransactions();
            consumer.subscribe(List.of(args[1] + "in"));
            while (true) {
                move(args[1] + "out", consumer, producer);
            }
        } catch (WakeupException leaving) {
            producer.close(Duration.ofSeconds(10));
            consumer.close();
        } catch (ProducerFencedException | FencedInstanceIdException fenced) {
            System.err.println("FENCED " + fenced);
            System.exit(3);
        } catch (RuntimeException error) {
            error.printStackTrace();
            System.exit(4);
        }
    }

    private static void move(String out, KafkaConsumer<byte[], byte[]> consumer, KafkaProducer<byte[], byte[]> producer) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) {
            return;
        }
        try {
            producer.beginTransaction();
            var next = new HashMap<TopicPartition, OffsetAndMetadata>();
            for (ConsumerRecord<byte[], byte[]> record : records) {
                producer.send(new ProducerRecord<>(out, record.partition(), record.key(), record.value()));
            }
            for (TopicPartition partition : records.partitions()) {
                next.put(partition, records.nextOffsets().get(partition));
            }
            producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
            producer.commitTransaction();
        } catch (WakeupException | ProducerFencedException | FencedInstanceIdException error) {
            throw error;
        } catch (KafkaException error) {
            System.err.println("ABORT " + error);
            producer.abortTransaction();
            back(consumer);
        }
    }

    /** To what the group has committed, or to the beginning. */
    private static void back(KafkaConsumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(partition);
            if (offset == null) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seek(partition, offset);
            }
        }
    }
}
