import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What the driver says otherwise to kafka-clients 4 than to the old release. */
final class Client {
    static final Map<String, String> CANNOT = Map.of();

    private Client() {
    }

    static void close(KafkaProducer<?, ?> producer, Duration patience) {
        producer.close(patience);
    }

    static void sendOffsets(
            KafkaProducer<?, ?> producer, Map<TopicPartition, OffsetAndMetadata> offsets, KafkaConsumer<?, ?> from, String group) {
        producer.sendOffsetsToTransaction(offsets, from.groupMetadata());
    }

    static void close(AdminClient admin) {
        admin.close(Duration.ofSeconds(1));
    }

    static KafkaFuture<Map<String, TopicDescription>> describe(AdminClient admin, Collection<String> topics) {
        return admin.describeTopics(topics).allTopicNames();
    }

    static KafkaFuture<List<String>> groups(AdminClient admin) {
        return admin.listGroups(ListGroupsOptions.forConsumerGroups()).all()
            .thenApply(found -> found.stream().map(GroupListing::groupId).toList());
    }

    static String state(ConsumerGroupDescription group) {
        return group.groupState().toString();
    }

    static String instance(MemberDescription member) {
        return member.groupInstanceId().orElse(null);
    }

    static KafkaFuture<Void> alter(AdminClient admin, ConfigResource resource, Map<String, String> configs) {
        var changes = new ArrayList<AlterConfigOp>();
        configs.forEach((name, value) -> changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        return admin.incrementalAlterConfigs(Map.of(resource, changes)).all();
    }

    static KafkaFuture<Void> alterOffsets(AdminClient admin, String group, Map<TopicPartition, OffsetAndMetadata> offsets) {
        return admin.alterConsumerGroupOffsets(group, offsets).all();
    }

    static KafkaFuture<Void> deleteOffsets(AdminClient admin, String group, Set<TopicPartition> partitions) {
        return admin.deleteConsumerGroupOffsets(group, partitions).all();
    }
}
