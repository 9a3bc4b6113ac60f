import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producer and consumer, driven over standard input: one command a line, a verb and JSON
 * separated by a tab, one answer a line. Keys, values and header values are base64.
 *
 * <pre>
 * send JSON   {producer, config, records: [{topic, partition, timestamp, key, value, headers}],
 *             offsets: {groupId, positions: [{topic, partition, offset}]}, then}
 *             writes the records, answers where they are. A producer is made with the first send that
 *             names it and its config; with a transactional.id the first send begins a transaction,
 *             and the offsets go into it.
 *             then: "commit", "abort", "close", or nothing to leave everything as it is.
 * read JSON   {config, topic, timeoutMs, positions, limit} the records of a topic from positions up to
 *             its present end, or until there are so many; control
 *             records, and with read_committed aborted ones, are left out.
 * </pre>
 */
public class Clients {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();
    private static final Map<String, Boolean> IN_TRANSACTION = new HashMap<>();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                String[] command = line.split("\t", -1);
                answer = "ok\t" + answer(command[0], MAPPER.readTree(command[1]));
            } catch (Throwable error) {
                answer = "error\t" + String.valueOf(error).replace('\n', ' ').replace('\t', ' ');
            }
            out.print(answer + "\n");
            out.flush();
        }
        for (KafkaProducer<byte[], byte[]> producer : PRODUCERS.values()) producer.close(Duration.ZERO);
    }

    private static String answer(String verb, JsonNode argument) throws Exception {
        switch (verb) {
            case "send": return send(argument);
            case "read": return read(argument);
            default: throw new IllegalArgumentException("unknown command " + verb);
        }
    }

    private static String send(JsonNode command) throws Exception {
        String name = command.path("producer").asText("default");
        Properties config = config(command.path("config"));
        boolean isTransactional = config.containsKey("transactional.id");
        KafkaProducer<byte[], byte[]> producer = PRODUCERS.get(name);
        if (producer == null) {
            producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
            PRODUCERS.put(name, producer);
            if (isTransactional) producer.initTransactions();
        }
        JsonNode records = command.path("records");
        if (isTransactional && records.size() > 0 && !IN_TRANSACTION.getOrDefault(name, false)) {
            producer.beginTransaction();
            IN_TRANSACTION.put(name, true);
        }
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : records) sent.add(producer.send(recordOf(record)));
        producer.flush();
        ArrayNode answer = MAPPER.createArrayNode();
        for (Future<RecordMetadata> future : sent) {
            RecordMetadata metadata = future.get();
            answer.addObject().put("partition", metadata.partition()).put("offset", metadata.offset())
                .put("timestamp", metadata.timestamp());
        }
        if (command.has("offsets")) sendOffsets(producer, command.get("offsets"));
        finish(name, producer, command.path("then").asText(""));
        return MAPPER.writeValueAsString(answer);
    }

    private static void sendOffsets(KafkaProducer<byte[], byte[]> producer, JsonNode offsets) {
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        for (JsonNode position : offsets.get("positions")) {
            positions.put(new TopicPartition(position.get("topic").asText(), position.get("partition").asInt()),
                new OffsetAndMetadata(position.get("offset").asLong()));
        }
        producer.sendOffsetsToTransaction(positions, new ConsumerGroupMetadata(offsets.get("groupId").asText()));
    }

    private static void finish(String name, KafkaProducer<byte[], byte[]> producer, String then) {
        switch (then) {
            case "commit":
                producer.commitTransaction();
                IN_TRANSACTION.put(name, false);
                break;
            case "abort":
                producer.abortTransaction();
                IN_TRANSACTION.put(name, false);
                break;
            case "close":
                producer.close();
                PRODUCERS.remove(name);
                break;
            case "":
                break;
            default:
                throw new IllegalArgumentException("unknown ending " + then);
        }
    }

    private static ProducerRecord<byte[], byte[]> recordOf(JsonNode record) {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : record.path("headers")) {
            headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
        }
        Integer partition = record.hasNonNull("partition") ? record.get("partition").asInt() : null;
        Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
        return new ProducerRecord<>(record.get("topic").asText(), partition, timestamp, bytes(record.get("key")),
            bytes(record.get("value")), headers);
    }

    private static String read(JsonNode command) throws Exception {
        long deadline = System.currentTimeMillis() + command.path("timeoutMs").asLong(30_000);
        String topic = command.get("topic").asText();
        Properties config = config(command.path("config"));
        JsonNode from = command.path("positions");
        int limit = command.path("limit").asInt(Integer.MAX_VALUE);
        ObjectNode answer = MAPPER.createObjectNode();
        ArrayNode records = answer.putArray("records");
        ObjectNode positions = answer.putObject("positions");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            for (TopicPartition p : partitions) {
                JsonNode at = from.path(String.valueOf(p.partition()));
                if (at.isNumber()) consumer.seek(p, at.asLong());
            }
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (records.size() < limit && partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                if (System.currentTimeMillis() > deadline) throw new IllegalStateException("not at the end in time");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    records.add(describe(record));
                }
            }
            for (TopicPartition p : partitions) positions.put(String.valueOf(p.partition()), consumer.position(p));
            answer.put("isAtEnd", partitions.stream().allMatch(p -> consumer.position(p) >= ends.get(p)));
        }
        return MAPPER.writeValueAsString(answer);
    }

    private static ObjectNode describe(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode node = MAPPER.createObjectNode();
        node.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
        node.put("key", base64(record.key())).put("value", base64(record.value()));
        ArrayNode headers = node.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(base64(header.value()));
        return node;
    }

    private static Properties config(JsonNode given) {
        Properties config = new Properties();
        given.fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        return config;
    }

    private static byte[] bytes(JsonNode base64) {
        return base64 == null || base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }
}
