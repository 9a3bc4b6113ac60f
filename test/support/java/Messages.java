import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Apache's generated messages, driven over standard input: one command a line, one answer a line.
 *
 * <pre>
 * write NAME VERSION JSON [RECORDS ...]   hex of the message
 * read NAME VERSION HEX                   JSON, then the records fields, all separated by tabs
 * definitions                             NAME=BASE64 of each definition in the jar
 * errors                                  CODE,NAME,retriable,metadata,authorization ...
 * </pre>
 *
 * Fields are separated by tabs. The generated converters can't carry records: they write them empty
 * and read them as empty. So RECORDS gives them in base64, in the order in which a walk through the
 * message meets them.
 */
public class Messages {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = "ok\t" + answer(line.split("\t", -1));
            } catch (Throwable error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                answer = "error\t" + String.valueOf(cause).replace('\n', ' ').replace('\t', ' ');
            }
            out.print(answer + "\n");
            if (!in.ready()) out.flush();
        }
        out.flush();
    }

    private static String answer(String[] command) throws Exception {
        switch (command[0]) {
            case "write": return write(command);
            case "read": return read(command[1], Short.parseShort(command[2]), command[3]);
            case "definitions": return definitions();
            case "errors": return errors();
            default: throw new IllegalArgumentException("unknown command " + command[0]);
        }
    }

    private static String write(String[] command) throws Exception {
        short version = Short.parseShort(command[2]);
        JsonNode json = MAPPER.readTree(command[3]);
        Method read = converter(command[1]).getMethod("read", JsonNode.class, short.class);
        Message message = (Message) read.invoke(null, json, version);
        Deque<ByteBuffer> records = new ArrayDeque<>();
        for (int i = 4; i < command.length; i++) {
            records.add(ByteBuffer.wrap(Base64.getDecoder().decode(command[i])));
        }
        fillRecords(message, records);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return HexFormat.of().formatHex(buffer.array(), 0, buffer.position());
    }

    private static String read(String name, short version, String hex) throws Exception {
        Class<?> data = generated(name, "");
        Message message = (Message) data.getConstructor().newInstance();
        ByteBuffer buffer = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes are left over");
        Method write = converter(name).getMethod("write", data, short.class);
        StringBuilder answer = new StringBuilder(MAPPER.writeValueAsString(write.invoke(null, message, version)));
        for (ByteBuffer records : collectRecords(message)) {
            byte[] bytes = new byte[records.remaining()];
            records.get(bytes);
            answer.append('\t').append(Base64.getEncoder().encodeToString(bytes));
        }
        return answer.toString();
    }

    private static Class<?> converter(String name) throws ClassNotFoundException {
        return generated(name, "JsonConverter");
    }

    /** Classes of requests, responses and headers end in Data, those of embedded protocols don't. */
    private static Class<?> generated(String name, String suffix) throws ClassNotFoundException {
        String path = "org.apache.kafka.common.message." + name;
        try {
            return Class.forName(path + "Data" + suffix);
        } catch (ClassNotFoundException embedded) {
            return Class.forName(path + suffix);
        }
    }

    private static void fillRecords(Object node, Deque<ByteBuffer> records) throws Exception {
        for (Field field : fields(node)) {
            Object value = field.get(node);
            if (isRecords(field)) {
                if (value != null && !records.isEmpty()) field.set(node, memoryRecords(records.poll()));
            } else {
                for (Object child : children(value)) fillRecords(child, records);
            }
        }
    }

    private static List<ByteBuffer> collectRecords(Object node) throws Exception {
        List<ByteBuffer> found = new ArrayList<>();
        for (Field field : fields(node)) {
            Object value = field.get(node);
            if (isRecords(field)) {
                if (value != null) found.add(((ByteBuffer) value.getClass().getMethod("buffer").invoke(value)).duplicate());
            } else {
                for (Object child : children(value)) found.addAll(collectRecords(child));
            }
        }
        return found;
    }

    private static boolean isRecords(Field field) {
        return field.getType().getSimpleName().equals("BaseRecords");
    }

    /** Its package changed between releases. */
    private static Object memoryRecords(ByteBuffer buffer) throws Exception {
        Class<?> type;
        try {
            type = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
        } catch (ClassNotFoundException older) {
            type = Class.forName("org.apache.kafka.common.record.MemoryRecords");
        }
        return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, buffer);
    }

    private static List<Field> fields(Object node) {
        List<Field> fields = new ArrayList<>();
        for (Field field : node.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            field.setAccessible(true);
            fields.add(field);
        }
        return fields;
    }

    private static Collection<?> children(Object value) {
        if (value instanceof Message) return List.of(value);
        if (!(value instanceof Collection)) return List.of();
        List<Object> messages = new ArrayList<>();
        for (Object element : (Collection<?>) value) if (element instanceof Message) messages.add(element);
        return messages;
    }

    private static String definitions() throws Exception {
        StringBuilder answer = new StringBuilder();
        String path = Message.class.getProtectionDomain().getCodeSource().getLocation().toURI().getPath();
        try (JarFile jar = new JarFile(path)) {
            for (JarEntry entry : java.util.Collections.list(jar.entries())) {
                String name = entry.getName();
                if (!name.startsWith("common/message/") || !name.endsWith(".json")) continue;
                try (InputStream in = jar.getInputStream(entry)) {
                    String simple = name.substring("common/message/".length(), name.length() - ".json".length());
                    answer.append(simple).append('=');
                    answer.append(Base64.getEncoder().encodeToString(in.readAllBytes())).append('\t');
                }
            }
        }
        return answer.toString().trim();
    }

    private static String errors() {
        StringBuilder answer = new StringBuilder();
        for (Errors error : Errors.values()) {
            Exception exception = error.exception();
            answer.append(error.code()).append(',').append(error.name())
                .append(',').append(exception instanceof RetriableException)
                .append(',').append(exception instanceof InvalidMetadataException)
                .append(',').append(exception instanceof AuthorizationException).append('\t');
        }
        return answer.toString().trim();
    }
}
