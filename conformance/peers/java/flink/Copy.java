import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Flink copies PREFIXin to PREFIXout through its exactly-once KafkaSink, whose transactions end with Flink's checkpoints. A start
 * continues from the newest checkpoint in STATE_DIRECTORY, where there is one: what was pre-committed there is committed then.
 *
 * Usage: Copy BOOTSTRAP PREFIX STATE_DIRECTORY INCREMENTING|POOLING
 */
final class Copy {
    private static final int PARALLEL = 2;

    private Copy() {
    }

    public static void main(String[] args) throws Exception {
        Path checkpoints = Path.of(args[2]);
        Files.createDirectories(checkpoints);
        var settings = new Configuration();
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
        settings.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(300));
        settings.set(CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION, ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        settings.set(CheckpointingOptions.TOLERABLE_FAILURE_NUMBER, 1000);
        settings.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        settings.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, Integer.MAX_VALUE);
        settings.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
        settings.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(8));
        settings.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(16));
        settings.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(16));
        newest(checkpoints).ifPresent(path -> {
            System.err.println("FROM " + path);
            settings.set(StateRecoveryOptions.SAVEPOINT_PATH, path.toUri().toString());
        });
        var flink = StreamExecutionEnvironment.createLocalEnvironment(PARALLEL, settings);
        flink.fromSource(source(args), WatermarkStrategy.noWatermarks(), "in").uid("in").sinkTo(sink(args)).uid("out");
        JobClient job = flink.executeAsync("copy");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                job.cancel().get(20, TimeUnit.SECONDS);
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        job.getJobExecutionResult().get();
    }

    /** A directory chk-N is a checkpoint when its _metadata is there. */
    private static Optional<Path> newest(Path checkpoints) throws IOException {
        try (var found = Files.find(checkpoints, 3, (path, what) -> path.endsWith("_metadata"))) {
            return found.max(Comparator.comparing(path -> path.toFile().lastModified())).map(Path::getParent);
        }
    }

    private static KafkaSource<String> source(String[] args) {
        return KafkaSource.<String>builder()
            .setBootstrapServers(args[0])
            .setTopics(args[1] + "in")
            .setGroupId(args[1] + "group")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Numbered())
            .build();
    }

    private static KafkaSink<String> sink(String[] args) {
        return KafkaSink.<String>builder()
            .setBootstrapServers(args[0])
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix(args[1] + "sink")
            .setTransactionNamingStrategy(TransactionNamingStrategy.valueOf(args[3]))
            .setProperty("transaction.timeout.ms", "600000")
            .setRecordSerializer(new Placed(args[1] + "out"))
            .build();
    }

    /** A record as "partition value". */
    private static final class Numbered implements KafkaRecordDeserializationSchema<String> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<String> out) {
            out.collect(record.partition() + " " + new String(record.value(), StandardCharsets.UTF_8));
        }

        @Override
        public TypeInformation<String> getProducedType() {
            return TypeInformation.of(String.class);
        }
    }

    /** Back into the partition that it came from; POOLING asks the broker what is open in the topics that are named here. */
    private static final class Placed implements KafkaRecordSerializationSchema<String>, KafkaDatasetFacetProvider {
        private final String topic;

        Placed(String topic) {
            this.topic = topic;
        }

        @Override
        public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
            return Optional.of(new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(List.of(topic))));
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(String text, KafkaSinkContext context, Long timestamp) {
            String[] parts = text.split(" ", 2);
            byte[] key = parts[0].getBytes(StandardCharsets.UTF_8);
            return new ProducerRecord<>(topic, Integer.parseInt(parts[0]), key, parts[1].getBytes(StandardCharsets.UTF_8));
        }
    }
}
