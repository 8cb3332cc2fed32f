package livemap.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.AdminClient;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.NewTopic;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TopicExistsException;

/** Makes the topics that are missing, as livemap aggregate makes them. Topics that exist are left as they are. */
final class Topics {
    private static final long DAY = 86_400_000;
    private static final long MIB = 1 << 20;
    private static final int ORDER_PARTITIONS = 4;

    private Topics() {}

    static void ensure(JobSettings settings) throws Exception {
        String prefix = settings.get("topic-prefix");
        List<NewTopic> wanted = new ArrayList<>();
        NewTopic orders = log("orders", ORDER_PARTITIONS, 7 * DAY, 4096 * MIB);
        orders.configs().put("message.timestamp.type", "LogAppendTime");
        wanted.add(orders);
        wanted.add(log(prefix + "orders.late", 1, 7 * DAY, 256 * MIB));
        wanted.add(log(prefix + "orders.dead", 1, 7 * DAY, 256 * MIB));
        wanted.add(log(prefix + "windows", 1, 2 * DAY, 4096 * MIB));
        wanted.add(log(prefix + "shipments", 1, DAY / 4, 1024 * MIB));
        for (String state : new String[] {"metrics", "history", "trending"}) {
            wanted.add(state(prefix + state));
        }
        try (AdminClient admin = AdminClient.create(settings.properties())) {
            long patience = JobSettings.patience().toSeconds();
            Set<String> there;
            try {
                there = admin.listTopics().names().get(patience, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                String why = e.getCause() == null ? "no answer within " + patience + " s" : e.getCause().getMessage();
                throw new IllegalStateException("Kafka at " + settings.get("kafka") + " cannot be asked for its topics: " + why
                        + "; see whether --kafka is right and, for TLS and SASL, --kafka-property", e);
            }
            wanted.removeIf(t -> there.contains(t.name()));
            for (NewTopic t : wanted) {
                try {
                    admin.createTopics(List.of(t)).all().get(patience, TimeUnit.SECONDS);
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof TopicExistsException)) {
                        throw new IllegalStateException("make topic " + t.name() + ": " + e.getCause().getMessage(), e);
                    }
                }
            }
        }
    }

    private static NewTopic log(String name, int partitions, long retention, long bytes) {
        Map<String, String> c = new HashMap<>();
        c.put("cleanup.policy", "delete");
        c.put("retention.ms", Long.toString(retention));
        c.put("retention.bytes", Long.toString(bytes));
        c.put("segment.bytes", Long.toString(Math.min(bytes / 8, 128 * MIB)));
        c.put("segment.ms", Long.toString(Math.min(retention / 8, DAY)));
        c.put("max.message.bytes", Long.toString(2 * MIB));
        return new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(c);
    }

    private static NewTopic state(String name) {
        Map<String, String> c = new HashMap<>();
        c.put("cleanup.policy", "compact");
        c.put("min.cleanable.dirty.ratio", "0.2");
        c.put("segment.bytes", Long.toString(16 * MIB));
        c.put("segment.ms", "600000");
        c.put("delete.retention.ms", Long.toString(DAY));
        c.put("retention.ms", "-1");
        c.put("retention.bytes", "-1");
        c.put("max.message.bytes", Long.toString(2 * MIB));
        return new NewTopic(name, Optional.of(1), Optional.empty()).configs(c);
    }
}
