package livemap.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.PartitionInfo;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches where the partitions of a topic end, in a thread of its own, so that silence can be told from a
 * backlog. Flink's idle timeout cannot: a partition that waits for its turn is idle to it, and what comes then
 * is late.
 */
final class Heads implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Heads.class);
    private static final long LOOK_EVERY = 500; // milliseconds
    /** A look older than this says nothing: then no partition is caught up. */
    private static final long STALE_AFTER = 3000;

    /** One look. reached is how far reading from the next offset would get without finding a record. */
    private record Look(long at, long[] begin, long[] end, long[] from, long[] reached) {}

    private final Properties properties;
    private final String topic;
    private final Thread thread;
    private final CountDownLatch first = new CountDownLatch(1);
    private volatile Look look;
    private volatile long[] next = new long[0];
    private volatile boolean closed;
    private volatile Exception failed;

    private Heads(Properties properties, String topic) {
        this.properties = properties;
        this.topic = topic;
        thread = new Thread(this::run, "livemap-heads");
        thread.setDaemon(true);
        thread.setContextClassLoader(Heads.class.getClassLoader());
    }

    /** Begins to watch; returns when the partitions are known. */
    static Heads open(Properties client, String topic) throws Exception {
        Properties p = new Properties();
        p.putAll(client);
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("allow.auto.create.topics", "false");
        p.put("fetch.max.bytes", "65536");
        p.put("max.partition.fetch.bytes", "4096");
        p.put("max.poll.records", "1");
        Heads heads = new Heads(p, topic);
        heads.thread.start();
        if (!heads.first.await(JobSettings.patience().toSeconds(), TimeUnit.SECONDS)) {
            heads.close();
            throw new IllegalStateException("Kafka has not told the partitions of topic " + topic + " for " + JobSettings.patience().toSeconds() + " s", heads.failed);
        }
        return heads;
    }

    @Override
    public void close() throws InterruptedException {
        closed = true;
        thread.interrupt();
        thread.join(JobSettings.patience().toMillis());
    }

    /** By partition: whether all of its records have been handed in, given the offset after the last. */
    boolean[] caughtUp(long[] next) {
        this.next = next.clone();
        Look l = look;
        boolean fresh = System.currentTimeMillis() - l.at() < STALE_AFTER;
        boolean[] caughtUp = new boolean[Math.max(l.end().length, next.length)];
        for (int i = 0; fresh && i < l.end().length; i++) {
            long at = Math.max(i < next.length ? next[i] : 0, l.begin()[i]);
            caughtUp[i] = at >= l.end()[i] || at == l.from()[i] && l.reached()[i] >= l.end()[i];
        }
        return caughtUp;
    }

    private void run() {
        while (!closed) {
            try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
                while (!closed) {
                    look = look(consumer);
                    first.countDown();
                    Thread.sleep(LOOK_EVERY);
                }
            } catch (InterruptedException | org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InterruptException e) {
                return;
            } catch (Exception e) {
                failed = e;
                LOG.warn("where topic {} ends cannot be told; no partition counts as idle until it can", topic, e);
                try {
                    Thread.sleep(LOOK_EVERY);
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    private Look look(KafkaConsumer<byte[], byte[]> consumer) {
        long at = System.currentTimeMillis();
        long[] asked = next;
        List<TopicPartition> partitions = new ArrayList<>();
        for (PartitionInfo p : consumer.partitionsFor(topic)) {
            partitions.add(new TopicPartition(topic, p.partition()));
        }
        if (partitions.isEmpty()) {
            throw new IllegalStateException("topic " + topic + " has no partition");
        }
        Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions), ends = consumer.endOffsets(partitions);
        int n = partitions.size();
        Look l = new Look(at, new long[n], new long[n], new long[n], new long[n]);
        for (TopicPartition p : partitions) {
            int i = p.partition();
            l.begin()[i] = begins.get(p);
            l.end()[i] = ends.get(p);
            l.from()[i] = Math.max(i < asked.length ? asked[i] : 0, l.begin()[i]);
            l.reached()[i] = l.from()[i];
            Look before = look;
            boolean stands = before != null && i < before.from().length && before.from()[i] == l.from()[i];
            if (stands && l.from()[i] < l.end()[i]) {
                l.reached()[i] = probe(consumer, p, l.from()[i]); // records, or only the marks of transactions?
            }
        }
        return l;
    }

    private long probe(KafkaConsumer<byte[], byte[]> consumer, TopicPartition p, long from) {
        consumer.assign(List.of(p));
        consumer.seek(p, from);
        return consumer.poll(Duration.ofMillis(200)).isEmpty() ? consumer.position(p) : from;
    }
}
