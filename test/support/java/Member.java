import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group that is Kafka's own. Its one argument is JSON: {config, topics}. It commits what
 * it has seen after each poll, and prints what happens, one JSON object a line:
 *
 * <pre>
 * {"type": "assigned" | "revoked" | "lost", "partitions": ["orders-0"]}
 * {"type": "records", "records": [{topic, partition, offset, value}]}
 * {"type": "left"}
 * </pre>
 *
 * It leaves in order when its standard input ends.
 */
public class Member {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] args) throws Exception {
        JsonNode command = MAPPER.readTree(args[0]);
        Properties config = new Properties();
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        command.get("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
        List<String> topics = new ArrayList<>();
        command.get("topics").forEach(topic -> topics.add(topic.asText()));
        AtomicBoolean isLeaving = new AtomicBoolean();
        Thread ending = new Thread(() -> {
            awaitEndOfInput();
            isLeaving.set(true);
        });
        ending.setDaemon(true);
        ending.start();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(topics, new Told());
            while (!isLeaving.get()) {
                ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(100));
                if (polled.isEmpty()) continue;
                ObjectNode line = MAPPER.createObjectNode().put("type", "records");
                ArrayNode records = line.putArray("records");
                for (ConsumerRecord<byte[], byte[]> record : polled) {
                    records.addObject().put("topic", record.topic()).put("partition", record.partition())
                        .put("offset", record.offset())
                        .put("value", record.value() == null ? null : new String(record.value(), StandardCharsets.UTF_8));
                }
                OUT.println(MAPPER.writeValueAsString(line));
                consumer.commitSync();
            }
        }
        OUT.println("{\"type\":\"left\"}");
    }

    private static void awaitEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is said on it; its end is all that counts.
            }
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    /** Prints what the group decides. */
    private static final class Told implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("lost", partitions);
        }

        private void tell(String type, Collection<TopicPartition> partitions) {
            ObjectNode line = MAPPER.createObjectNode().put("type", type);
            ArrayNode names = line.putArray("partitions");
            partitions.forEach(partition -> names.add(partition.toString()));
            OUT.println(line.toString());
        }
    }
}
