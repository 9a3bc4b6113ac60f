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
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Kafka's own assignors, driven over standard input: one command a line, fields separated by tabs,
 * one answer a line.
 *
 * <pre>
 * assign NAME JSON     {topics: {name: [[rack, ...] a partition]}, members: [{id, instance, topics,
 *                      userData, owned: [[topic, partition]], generation, rack}]}
 *                      answers {member: [[topic, partition], ...]}
 * userData NAME JSON   {generation, partitions: [[topic, partition]]}: what a member tells next, base64
 * subscription JSON    a member as above: what it puts into JoinGroup, base64
 * assignment JSON      [[topic, partition], ...]: what it gets from SyncGroup, base64
 * </pre>
 */
public class Assignors {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = "ok\t" + answer(line.split("\t", -1));
            } catch (Throwable error) {
                answer = "error\t" + String.valueOf(error).replace('\n', ' ').replace('\t', ' ');
            }
            out.print(answer + "\n");
            if (!in.ready()) out.flush();
        }
        out.flush();
    }

    private static String answer(String[] command) throws Exception {
        switch (command[0]) {
            case "assign": return assign(command[1], MAPPER.readTree(command[2]));
            case "userData": return userData(command[1], MAPPER.readTree(command[2]));
            case "subscription":
                return base64(ConsumerProtocol.serializeSubscription(subscription(MAPPER.readTree(command[1]))));
            case "assignment":
                return base64(ConsumerProtocol.serializeAssignment(new Assignment(partitions(MAPPER.readTree(command[1])))));
            default: throw new IllegalArgumentException("unknown command " + command[0]);
        }
    }

    private static ConsumerPartitionAssignor assignor(String name) {
        switch (name) {
            case "range": return new RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            case "cooperative-sticky": return new CooperativeStickyAssignor();
            default: throw new IllegalArgumentException("unknown assignor " + name);
        }
    }

    private static String assign(String name, JsonNode input) throws Exception {
        Map<String, Subscription> members = new HashMap<>();
        for (JsonNode member : input.get("members")) {
            members.put(member.get("id").asText(), subscription(member));
        }
        Map<String, Assignment> assigned =
            assignor(name).assign(cluster(input.get("topics")), new GroupSubscription(members)).groupAssignment();
        ObjectNode answer = MAPPER.createObjectNode();
        assigned.forEach((member, assignment) -> {
            ArrayNode list = answer.putArray(member);
            for (TopicPartition partition : assignment.partitions()) {
                list.addArray().add(partition.topic()).add(partition.partition());
            }
        });
        return MAPPER.writeValueAsString(answer);
    }

    private static String userData(String name, JsonNode input) throws Exception {
        ConsumerPartitionAssignor assignor = assignor(name);
        assignor.onAssignment(new Assignment(partitions(input.get("partitions"))),
            new ConsumerGroupMetadata("group", input.get("generation").asInt(), "member", Optional.empty()));
        return base64(assignor.subscriptionUserData(new HashSet<>()));
    }

    private static Subscription subscription(JsonNode member) {
        List<String> topics = new ArrayList<>();
        for (JsonNode topic : member.get("topics")) topics.add(topic.asText());
        JsonNode data = member.path("userData");
        ByteBuffer userData = data.isTextual() ? ByteBuffer.wrap(Base64.getDecoder().decode(data.asText())) : null;
        Subscription subscription = new Subscription(topics, userData, partitions(member.path("owned")),
            member.path("generation").asInt(-1), Optional.ofNullable(member.path("rack").textValue()));
        subscription.setGroupInstanceId(Optional.ofNullable(member.path("instance").textValue()));
        return subscription;
    }

    private static List<TopicPartition> partitions(JsonNode list) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (JsonNode pair : list) partitions.add(new TopicPartition(pair.get(0).asText(), pair.get(1).asInt()));
        return partitions;
    }

    /** One node for each rack, and one without. */
    private static Cluster cluster(JsonNode topics) {
        Map<String, Node> nodes = new HashMap<>();
        Node rackless = new Node(0, "localhost", 9000);
        List<PartitionInfo> infos = new ArrayList<>();
        for (Iterator<Map.Entry<String, JsonNode>> it = topics.fields(); it.hasNext(); ) {
            Map.Entry<String, JsonNode> topic = it.next();
            int partition = 0;
            for (JsonNode racks : topic.getValue()) {
                List<Node> replicas = new ArrayList<>();
                for (JsonNode rack : racks) {
                    replicas.add(nodes.computeIfAbsent(rack.asText(),
                        r -> new Node(nodes.size() + 1, "localhost", 9001 + nodes.size(), r)));
                }
                if (replicas.isEmpty()) replicas.add(rackless);
                Node[] array = replicas.toArray(new Node[0]);
                infos.add(new PartitionInfo(topic.getKey(), partition++, array[0], array, array));
            }
        }
        List<Node> all = new ArrayList<>(nodes.values());
        all.add(rackless);
        return new Cluster("cluster", all, infos, new HashSet<>(), new HashSet<>());
    }

    private static String base64(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }
}
