import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Measures how long records take from being sent to arriving in a Java consumer with default settings.
 * Each value begins with the 20 characters of the monotonic time, in ns, at which it was sent, filled
 * up with dots. Arguments: bootstrap servers, topic, group, ms to warm up, ms to measure. Prints p50 and
 * p99 in ms, and the number of records.
 */
public class Latency {
    public static void main(String[] args) {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("group.id", args[2]);
        config.put("auto.offset.reset", "latest");
        long from = System.nanoTime() + Long.parseLong(args[3]) * 1_000_000;
        long until = from + Long.parseLong(args[4]) * 1_000_000;
        List<Long> times = new ArrayList<>();
        try (KafkaConsumer<byte[], String> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(args[1]));
            while (System.nanoTime() < until) {
                for (ConsumerRecord<byte[], String> record : consumer.poll(Duration.ofMillis(100))) {
                    long sentAt = Long.parseLong(record.value().substring(0, record.value().indexOf('.')));
                    if (sentAt >= from) times.add(System.nanoTime() - sentAt);
                }
            }
        }
        Collections.sort(times);
        System.out.println(ms(times, 0.5) + " " + ms(times, 0.99) + " " + times.size());
    }

    private static double ms(List<Long> sorted, double quantile) {
        return sorted.isEmpty() ? Double.NaN : sorted.get((int) (sorted.size() * quantile)) / 1e6;
    }
}
