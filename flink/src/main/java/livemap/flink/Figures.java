package livemap.flink;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import livemap.aggregate.Output;
import livemap.aggregate.Settings;
import livemap.aggregate.Verdict;
import livemap.orders.Utf8;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.table.annotation.ArgumentHint;
import org.apache.flink.table.annotation.ArgumentTrait;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.annotation.StateHint;
import org.apache.flink.table.api.dataview.ListView;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.types.Row;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The process table function that judges orders and adds them up: what SQL cannot say. Its input are decoded
 * records and ticks (rows without an entry), in one partition, because whether an order is late depends on all
 * partitions of the topic. Its output are the records of all topics.
 */
@FunctionHint(output = @DataTypeHint("ROW<topic STRING, k BYTES, v BYTES, ts TIMESTAMP_LTZ(3), h MAP<STRING, BYTES>>"))
public final class Figures extends ProcessTableFunction<Row> {
    private static final Logger LOG = LoggerFactory.getLogger(Figures.class);
    private static final long TELL_FROM = 2000; // milliseconds behind that are worth a line

    private static final int MAX_DEAD_BYTES = 64 << 10; // of a dead record's value, and of its key
    private static final int MAX_DETAIL_BYTES = 512;
    private static final int MAX_LATE_BYTES = 64 << 10; // of a late record's key, and of all its headers

    private transient Settings settings;
    private transient Keeper keeper;
    private transient Catalogue catalogue;
    private transient Heads heads;
    private transient long dead;
    private transient long handled; // records since this task started
    private transient long behindSince; // wall clock of the first record of a backlog, 0: caught up

    @Override
    public void open(FunctionContext context) throws Exception {
        JobSettings job = JobSettings.of(context);
        settings = job.aggregate();
        try {
            catalogue = Catalogue.open(job.get("classification"));
        } catch (Exception e) {
            throw new SuppressRestartsException(e); // trying again would not help
        }
        heads = Heads.open(job.properties(), "orders");
        MetricGroup group = context.getMetricGroup().addGroup("livemap");
        for (Verdict v : Verdict.values()) {
            group.gauge("orders_" + v.name().toLowerCase(java.util.Locale.ROOT), () -> keeper == null ? 0L : keeper.aggregator().count(v));
        }
        group.gauge("orders_dead", () -> dead);
        group.gauge("units_left_out", () -> keeper == null ? 0L : keeper.aggregator().unitsLeftOut());
    }

    @Override
    public void close() throws Exception {
        if (heads != null) {
            heads.close();
        }
        if (catalogue != null) {
            catalogue.close();
        }
    }

    public void eval(
            @StateHint(type = @DataTypeHint("ARRAY<BYTES>"), ttl = "0") ListView<byte[]> journal,
            @StateHint(type = @DataTypeHint("MAP<INT, BYTES>"), ttl = "0") MapView<Integer, byte[]> snapshot,
            @ArgumentHint(value = ArgumentTrait.SET_SEMANTIC_TABLE, type = @DataTypeHint(
                    "ROW<shard INT, entry BYTES, k BYTES, v BYTES, ts TIMESTAMP_LTZ(3), h MAP<STRING, BYTES>>")) Row input) throws Exception {
        if (keeper == null) {
            begin(journal, snapshot);
        }
        byte[] entry = input.getFieldAs(1);
        if (entry == null) {
            tick(journal, snapshot);
            return;
        }
        handled++;
        if (behindSince == 0) {
            behindSince = System.currentTimeMillis();
        }
        if (entry[0] == Decode.DEAD) {
            Decode.Dead d = Decode.Dead.read(entry);
            keeper.dead(d.partition(), d.offset(), journal);
            dead++;
            collectDead(d, input);
        } else if (keeper.order(entry, journal) == Verdict.LATE) {
            collectLate(input);
        }
    }

    private void begin(ListView<byte[]> journal, MapView<Integer, byte[]> snapshot) throws Exception {
        Keeper k = new Keeper(settings);
        try {
            k.restore(journal, snapshot, catalogue.current());
        } catch (java.io.IOException e) {
            throw new SuppressRestartsException(e);
        }
        keeper = k;
        tick(journal, snapshot); // so that all partitions are known before the first order
    }

    private void tick(ListView<byte[]> journal, MapView<Integer, byte[]> snapshot) throws Exception {
        boolean[] caughtUp = heads.caughtUp(keeper.next());
        tell(caughtUp);
        for (Output o : keeper.tick(System.currentTimeMillis(), caughtUp, catalogue.current(), journal, snapshot)) {
            collect(Row.of(o.topic(), o.key().getBytes(StandardCharsets.UTF_8), o.value().getBytes(StandardCharsets.UTF_8), null, null));
        }
    }

    /** Tells when a backlog has been caught up. flink/bench reads the line. */
    private void tell(boolean[] caughtUp) {
        for (boolean c : caughtUp) {
            if (!c) {
                return;
            }
        }
        long took = System.currentTimeMillis() - behindSince;
        if (behindSince > 0 && took >= TELL_FROM) {
            LOG.info("caught up after {} ms: {} records since the start", took, handled);
        }
        behindSince = 0;
    }

    /** Keeps a dead record as Go's kafka.DeadRecord does. */
    private void collectDead(Decode.Dead d, Row input) {
        byte[] value = input.getFieldAs(3);
        Map<String, byte[]> headers = new HashMap<>();
        headers.put("reason", bytes(d.reason()));
        headers.put("detail", bytes(Utf8.cut(d.detail(), MAX_DETAIL_BYTES)));
        headers.put("topic", bytes("orders"));
        headers.put("partition", bytes(Integer.toString(d.partition())));
        headers.put("offset", bytes(Long.toString(d.offset())));
        if (value != null && value.length > MAX_DEAD_BYTES) {
            value = Arrays.copyOf(value, MAX_DEAD_BYTES);
            headers.put("truncated", bytes("true"));
        }
        collect(Row.of("orders.dead", cut(input.getFieldAs(2), MAX_DEAD_BYTES), value, input.<Instant>getFieldAs(4), headers));
    }

    /** Keeps a late order as it was, but for what of its key and headers is too large. */
    private void collectLate(Row input) {
        Map<String, byte[]> headers = new HashMap<>();
        int room = MAX_LATE_BYTES;
        Map<String, byte[]> given = input.getFieldAs(5);
        for (Map.Entry<String, byte[]> h : given == null ? Map.<String, byte[]>of().entrySet() : given.entrySet()) {
            room -= h.getKey().length() + (h.getValue() == null ? 0 : h.getValue().length);
            if (room < 0) {
                break;
            }
            headers.put(h.getKey(), h.getValue());
        }
        collect(Row.of("orders.late", cut(input.getFieldAs(2), MAX_LATE_BYTES), input.getFieldAs(3), input.<Instant>getFieldAs(4), headers));
    }

    private static byte[] cut(byte[] b, int most) {
        return b == null || b.length <= most ? b : Arrays.copyOf(b, most);
    }

    private static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }
}
