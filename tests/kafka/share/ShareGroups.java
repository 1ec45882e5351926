import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.config.ConfigResource;

/**
 * What a share group (KIP-932) sees of transactional results: an aborted record and a committed one are written as a worker writes them, and read by share groups
 * whose consumers and whose group are set one way and the other. Prints a line for each, and fails where Kafka does otherwise than docs/delivery.md says.
 *
 * usage: ShareGroups BOOTSTRAP
 */
public class ShareGroups {
    static String brokers;

    public static void main(String[] args) throws Exception {
        brokers = args[0];
        String topic = "share-" + UUID.randomUUID();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            write(topic);
            boolean sound = true;
            sound &= expect(admin, topic, "as Kafka has it", Map.of(), Map.of(), List.of("aborted", "committed"));
            sound &= expect(admin, topic, "the consumer asks for read_committed", Map.of(), Map.of("isolation.level", "read_committed"), null);
            sound &= expect(admin, topic, "the group is read_committed", Map.of("share.isolation.level", "read_committed"), Map.of(), List.of("committed"));
            sound &= expect(admin, topic, "share.auto.offset.reset is left at its default", null, Map.of(), List.of());
            System.exit(sound ? 0 : 1);
        }
    }

    static void write(String topic) {
        Map<String, Object> config = Map.of("bootstrap.servers", brokers, "transactional.id", topic,
            "key.serializer", "org.apache.kafka.common.serialization.StringSerializer",
            "value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        try (Producer<String, String> producer = new KafkaProducer<>(config)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "fan-1", "aborted"));
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "fan-1", "committed"));
            producer.commitTransaction();
        }
    }

    /** group == null: no setting at all, not even where to begin; wanted == null: the client must refuse the setting or take no notice of it. */
    static boolean expect(Admin admin, String topic, String what, Map<String, String> group, Map<String, Object> consumer, List<String> wanted) throws Exception {
        String name = "group-" + UUID.randomUUID();
        if (group != null) {
            Map<String, String> all = new HashMap<>(group);
            all.put("share.auto.offset.reset", "earliest");
            List<AlterConfigOp> changes = new ArrayList<>();
            all.forEach((key, value) -> changes.add(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
            admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, name), changes)).all().get();
        }
        Map<String, Object> config = new HashMap<>(consumer);
        config.putAll(Map.of("bootstrap.servers", brokers, "group.id", name,
            "key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer",
            "value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer"));
        List<String> seen = new ArrayList<>();
        try (KafkaShareConsumer<String, String> share = new KafkaShareConsumer<>(config)) {
            share.subscribe(List.of(topic));
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(8);
            while (System.nanoTime() < until) {
                for (ConsumerRecord<String, String> record : share.poll(Duration.ofMillis(500))) seen.add(record.value());
            }
        } catch (RuntimeException refused) {
            Throwable cause = refused.getCause() == null ? refused : refused.getCause();
            System.out.println(what + ": the client refuses: " + cause.getMessage());
            return wanted == null;
        }
        boolean isRight = wanted == null ? seen.contains("aborted") : seen.equals(wanted);
        String type = admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream()
            .anyMatch(listed -> listed.groupId().equals(name)) ? "" : " (not listed)";
        System.out.println(what + ": sees " + seen + type + (isRight ? "" : "   which is not what is documented: " + wanted));
        return isRight;
    }
}
