// Transactions by Java's own producer, one after the other: java -cp 'JARS/*' Transact.java BOOTSTRAP TOPIC COUNT RECORDS
// Prints one line of JSON: the seconds of each commit, and of all transactions together. The first half of them isn't
// counted, since a JVM that has just started is slow.

import java.util.Map;
import java.util.StringJoiner;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Transact {
    public static void main(String[] args) {
        String topic = args[1];
        int count = Integer.parseInt(args[2]), records = Integer.parseInt(args[3]), partitions = 2;
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "transactional.id", topic, "linger.ms", 0);
        StringJoiner latencies = new StringJoiner(",");
        long start = 0;
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            byte[] value = new byte[100];
            for (int i = -count; i < count; i++) {
                if (i == 0) {
                    start = System.nanoTime();
                }
                producer.beginTransaction();
                for (int record = 0; record < records; record++) {
                    producer.send(new ProducerRecord<>(topic, (i + count + record) % partitions, null, value));
                }
                long asked = System.nanoTime();
                producer.commitTransaction();
                if (i >= 0) {
                    latencies.add(Double.toString((System.nanoTime() - asked) / 1e9));
                }
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            System.out.printf("{\"seconds\": %s, \"latencies\": [%s]}%n", seconds, latencies);
        }
    }
}
