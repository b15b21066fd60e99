import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What the driver says otherwise to kafka-clients 2.1, the oldest that Kafka 4 still serves. */
final class Client {
    static final Map<String, String> CANNOT = Map.of(
        "static", "group.instance.id came with 2.3",
        "cooperative-sticky", "cooperative rebalancing came with 2.4",
        "alter_offsets", "AdminClient.alterConsumerGroupOffsets came with 2.5",
        "delete_offsets", "AdminClient.deleteConsumerGroupOffsets came with 2.4");

    private Client() {
    }

    static void close(KafkaProducer<?, ?> producer, Duration patience) {
        producer.close(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    static void sendOffsets(
            KafkaProducer<?, ?> producer, Map<TopicPartition, OffsetAndMetadata> offsets, KafkaConsumer<?, ?> from, String group) {
        producer.sendOffsetsToTransaction(offsets, group);
    }

    static void close(AdminClient admin) {
        admin.close(1, TimeUnit.SECONDS);
    }

    static KafkaFuture<Map<String, TopicDescription>> describe(AdminClient admin, Collection<String> topics) {
        return admin.describeTopics(topics).all();
    }

    static KafkaFuture<List<String>> groups(AdminClient admin) {
        return admin.listConsumerGroups().all().thenApply(new KafkaFuture.BaseFunction<>() {
            @Override
            public List<String> apply(Collection<ConsumerGroupListing> found) {
                return found.stream().map(ConsumerGroupListing::groupId).toList();
            }
        });
    }

    static String state(ConsumerGroupDescription group) {
        return group.state().toString();
    }

    static String instance(MemberDescription member) {
        return null;
    }

    /** The old call replaces a resource's whole configuration, so tools of that time read it first and sent it back changed. */
    static KafkaFuture<Void> alter(AdminClient admin, ConfigResource resource, Map<String, String> configs) throws Exception {
        var whole = new LinkedHashMap<String, ConfigEntry>();
        for (var entry : Administration.wait(admin.describeConfigs(List.of(resource)).all()).get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                whole.put(entry.name(), entry);
            }
        }
        configs.forEach((name, value) -> whole.put(name, new ConfigEntry(name, value)));
        return admin.alterConfigs(Map.of(resource, new Config(whole.values()))).all();
    }

    static KafkaFuture<Void> alterOffsets(AdminClient admin, String group, Map<TopicPartition, OffsetAndMetadata> offsets) {
        throw new UnsupportedOperationException(CANNOT.get("alter_offsets"));
    }

    static KafkaFuture<Void> deleteOffsets(AdminClient admin, String group, Set<TopicPartition> partitions) {
        throw new UnsupportedOperationException(CANNOT.get("delete_offsets"));
    }
}
