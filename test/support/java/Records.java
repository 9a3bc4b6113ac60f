import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Utils;

/**
 * Kafka's own record batches, driven over standard input: one command a line, fields separated by
 * tabs, one answer a line. Built for Kafka 3.9, the last that still has every old format.
 *
 * <pre>
 * write JSON    hex of a batch: {magic, codec, logAppendTime, producerId, ..., records: [...]}
 * marker JSON   hex of a control batch: {commit, producerId, producerEpoch, coordinatorEpoch, offset}
 * read HEX      JSON of every batch with its records, after checking it
 * murmur2 HEX   the hash
 * </pre>
 */
public class Records {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                String[] command = line.split("\t", -1);
                answer = "ok\t" + answer(command[0], command[1]);
            } catch (Throwable error) {
                answer = "error\t" + String.valueOf(error).replace('\n', ' ').replace('\t', ' ');
            }
            out.print(answer + "\n");
            if (!in.ready()) out.flush();
        }
        out.flush();
    }

    private static String answer(String verb, String argument) throws Exception {
        switch (verb) {
            case "write": return hex(write(MAPPER.readTree(argument)));
            case "marker": return hex(marker(MAPPER.readTree(argument)));
            case "read": return read(ByteBuffer.wrap(HexFormat.of().parseHex(argument)));
            case "murmur2": return String.valueOf(Utils.murmur2(HexFormat.of().parseHex(argument)));
            default: throw new IllegalArgumentException("unknown command " + verb);
        }
    }

    private static MemoryRecords write(JsonNode batch) throws Exception {
        List<SimpleRecord> records = new ArrayList<>();
        for (JsonNode record : batch.get("records")) {
            List<Header> headers = new ArrayList<>();
            for (JsonNode header : record.path("headers")) {
                headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
            }
            records.add(new SimpleRecord(record.path("timestamp").asLong(-1), bytes(record.get("key")),
                bytes(record.get("value")), headers.toArray(new Header[0])));
        }
        CompressionType codec = CompressionType.forName(batch.path("codec").asText("none"));
        TimestampType type = batch.path("logAppendTime").asBoolean() ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME;
        return MemoryRecords.withRecords((byte) batch.path("magic").asInt(2), batch.path("baseOffset").asLong(0),
            Compression.of(codec).build(), type, batch.path("producerId").asLong(-1),
            (short) batch.path("producerEpoch").asInt(-1), batch.path("baseSequence").asInt(-1),
            batch.path("leaderEpoch").asInt(-1), batch.path("transactional").asBoolean(),
            records.toArray(new SimpleRecord[0]));
    }

    private static MemoryRecords marker(JsonNode marker) {
        ControlRecordType type = marker.path("commit").asBoolean() ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
        return MemoryRecords.withEndTransactionMarker(marker.path("offset").asLong(0), marker.path("timestamp").asLong(0), 0,
            marker.path("producerId").asLong(), (short) marker.path("producerEpoch").asInt(),
            new EndTransactionMarker(type, marker.path("coordinatorEpoch").asInt()));
    }

    private static String read(ByteBuffer buffer) throws Exception {
        ArrayNode batches = MAPPER.createArrayNode();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(buffer).batches()) {
            batch.ensureValid();
            ObjectNode node = batches.addObject();
            node.put("magic", batch.magic()).put("codec", batch.compressionType().name)
                .put("baseOffset", batch.baseOffset()).put("lastOffset", batch.lastOffset())
                .put("producerId", batch.producerId()).put("producerEpoch", batch.producerEpoch())
                .put("baseSequence", batch.baseSequence()).put("transactional", batch.isTransactional())
                .put("control", batch.isControlBatch()).put("leaderEpoch", batch.partitionLeaderEpoch())
                .put("maxTimestamp", batch.maxTimestamp());
            ArrayNode records = node.putArray("records");
            for (Record record : batch) {
                record.ensureValid();
                ObjectNode out = records.addObject();
                out.put("offset", record.offset()).put("timestamp", record.timestamp());
                out.put("key", base64(record.hasKey() ? record.key() : null));
                out.put("value", base64(record.hasValue() ? record.value() : null));
                ArrayNode headers = out.putArray("headers");
                for (Header header : record.headers()) {
                    headers.addArray().add(header.key())
                        .add(base64(header.value() == null ? null : ByteBuffer.wrap(header.value())));
                }
            }
        }
        return MAPPER.writeValueAsString(batches);
    }

    private static byte[] bytes(JsonNode base64) {
        return base64 == null || base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
    }

    private static String base64(ByteBuffer bytes) {
        if (bytes == null) return null;
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return Base64.getEncoder().encodeToString(copy);
    }

    private static String hex(MemoryRecords records) {
        ByteBuffer buffer = records.buffer();
        byte[] copy = new byte[buffer.remaining()];
        buffer.duplicate().get(copy);
        return HexFormat.of().formatHex(copy);
    }
}
