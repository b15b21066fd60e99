import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Kafka Streams with exactly_once_v2, three topologies in one application: words counted (a repartition topic, a store and its
 * changelog), orders joined with payments (two window stores), orders joined with a table of customers.
 *
 * Usage: Streams BOOTSTRAP PREFIX STATE_DIRECTORY. All topics' names begin with PREFIX. Nothing is cached, so that each
 * change of a count leaves as a record of its own: 1, 2, 3 … for each word, and any that is missing or doubled shows.
 */
final class Streams {
    private Streams() {
    }

    public static void main(String[] args) throws InterruptedException {
        String prefix = args[1];
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "app");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(args[2]).toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 4000);
        settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1000);
        for (String argument : Arrays.copyOfRange(args, 3, args.length)) {
            String[] setting = argument.split("=", 2);
            settings.put(setting[0], setting[1]);
        }

        var ended = new CountDownLatch(1);
        var streams = new KafkaStreams(topology(prefix).build(), settings);
        streams.setStateListener((now, before) -> {
            System.err.println("STATE " + now);
            if (now == KafkaStreams.State.ERROR) {
                ended.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
        ended.await();
        System.exit(3);
    }

    private static StreamsBuilder topology(String prefix) {
        var builder = new StreamsBuilder();
        KStream<String, String> lines = builder.stream(prefix + "lines");
        lines.flatMapValues(line -> Arrays.asList(line.toLowerCase(Locale.ROOT).split(" ")))
            .map((key, word) -> KeyValue.pair(word, word))
            .groupByKey()
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withCachingDisabled())
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(prefix + "counts");

        KStream<String, String> orders = builder.stream(prefix + "orders");
        KStream<String, String> payments = builder.stream(prefix + "payments");
        var window = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofHours(2), Duration.ofHours(2));
        orders.join(payments, (order, payment) -> order + "|" + payment, window).to(prefix + "paid");

        var customers = builder.<String, String>table(prefix + "customers");
        orders.join(customers, (order, customer) -> order + "@" + customer).to(prefix + "named");
        return builder;
    }
}
