import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** One admin client. What differs between the two releases is in Client. */
final class Administration {
    private final AdminClient admin;

    Administration(String bootstrap) {
        var conf = new Properties();
        conf.put("bootstrap.servers", bootstrap);
        conf.put("reconnect.backoff.ms", "20");
        conf.put("reconnect.backoff.max.ms", "200");
        conf.put("retry.backoff.ms", "50");
        conf.put("request.timeout.ms", "20000");
        conf.put("default.api.timeout.ms", "30000"); // the old release knows it as an unknown key
        admin = AdminClient.create(conf);
    }

    void close() {
        Client.close(admin);
    }

    static <T> T wait(KafkaFuture<T> future) throws Exception {
        return future.get(60, TimeUnit.SECONDS);
    }

    Object answer(String verb, Map<String, Object> request) throws Exception {
        String topic = (String) request.get("topic");
        String group = (String) request.get("group");
        switch (verb) {
            case "create" -> {
                int partitions = Json.number(request.getOrDefault("partitions", 1L));
                short replicas = (short) Json.number(request.getOrDefault("replicas", 1L));
                var made = new NewTopic(topic, partitions, replicas).configs(Json.strings(request.get("configs")));
                var options = new CreateTopicsOptions().validateOnly(Boolean.TRUE.equals(request.get("validate_only")));
                return wait(admin.createTopics(List.of(made), options).all());
            }
            case "delete" -> {
                return wait(admin.deleteTopics(List.of(topic)).all());
            }
            case "topics" -> {
                return topics();
            }
            case "grow" -> {
                var wanted = NewPartitions.increaseTo(Json.number(request.get("partitions")));
                return wait(admin.createPartitions(Map.of(topic, wanted)).all());
            }
            case "configs" -> {
                return configs(new ConfigResource(ConfigResource.Type.TOPIC, topic));
            }
            case "broker_configs" -> {
                return configs(new ConfigResource(ConfigResource.Type.BROKER, String.valueOf(request.get("id"))));
            }
            case "alter" -> {
                var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                return wait(Client.alter(admin, resource, Json.strings(request.get("configs"))));
            }
            case "delete_records" -> {
                var where = new TopicPartition(topic, Json.number(request.get("partition")));
                var before = RecordsToDelete.beforeOffset((Long) request.get("before"));
                return wait(admin.deleteRecords(Map.of(where, before)).lowWatermarks().get(where)).lowWatermark();
            }
            case "groups" -> {
                return wait(Client.groups(admin));
            }
            case "members" -> {
                var members = new ArrayList<List<Object>>();
                for (var member : wait(admin.describeConsumerGroups(List.of(group)).describedGroups().get(group)).members()) {
                    var pair = new ArrayList<Object>();
                    pair.add(member.clientId());
                    pair.add(Client.instance(member));
                    members.add(pair);
                }
                return members;
            }
            case "group_state" -> {
                return Client.state(wait(admin.describeConsumerGroups(List.of(group)).describedGroups().get(group)));
            }
            case "committed" -> {
                var rows = new ArrayList<List<Object>>();
                var found = wait(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
                found.forEach((where, committed) -> {
                    if (where.topic().equals(topic) && committed != null && committed.offset() >= 0) {
                        rows.add(List.of(where.partition(), committed.offset()));
                    }
                });
                return rows;
            }
            case "alter_offsets" -> {
                var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
                for (var row : Json.rows(request.get("offsets"))) {
                    offsets.put(new TopicPartition(topic, Json.number(row.get(0))), new OffsetAndMetadata((Long) row.get(1)));
                }
                return wait(Client.alterOffsets(admin, group, offsets));
            }
            case "delete_offsets" -> {
                var partitions = new HashSet<TopicPartition>();
                for (Object partition : (List<?>) request.get("partitions")) {
                    partitions.add(new TopicPartition(topic, Json.number(partition)));
                }
                return wait(Client.deleteOffsets(admin, group, partitions));
            }
            case "delete_group" -> {
                return wait(admin.deleteConsumerGroups(List.of(group)).all());
            }
            case "brokers" -> {
                var rows = new ArrayList<List<Object>>();
                for (var node : wait(admin.describeCluster().nodes())) {
                    rows.add(List.of(node.id(), node.host(), node.port()));
                }
                return rows;
            }
            default -> throw new IllegalArgumentException("no such verb: " + verb);
        }
    }

    /** Asked again when a topic went between the list and its description. */
    private Map<String, Object> topics() throws Exception {
        for (int attempt = 0; ; attempt++) {
            Set<String> names = wait(admin.listTopics(new ListTopicsOptions().listInternal(true)).names());
            try {
                var counted = new HashMap<String, Object>();
                wait(Client.describe(admin, names)).forEach((name, found) -> counted.put(name, found.partitions().size()));
                return counted;
            } catch (ExecutionException error) {
                if (Refusal.code(error.getCause()) != 3 || attempt == 5) {
                    throw error;
                }
            }
        }
    }

    int partitions(String topic) throws Exception {
        return wait(Client.describe(admin, Set.of(topic))).get(topic).partitions().size();
    }

    private Map<String, Object> configs(ConfigResource resource) throws Exception {
        var found = new HashMap<String, Object>();
        for (var entry : wait(admin.describeConfigs(List.of(resource)).all()).get(resource).entries()) {
            found.put(entry.name(), entry.value());
        }
        return found;
    }
}
