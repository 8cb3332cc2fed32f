package livemap.flink;

import java.nio.ByteBuffer;
import livemap.aggregate.Output;
import livemap.aggregate.Settings;
import livemap.aggregate.Verdict;
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
            catalogue = Catalogue.open(job.get("classification"), Catalogue.LOOK_EVERY);
        } catch (Exception e) {
            throw new SuppressRestartsException(e); // trying again would not help
        }
        heads = Heads.open(job.properties(), "orders");
        MetricGroup group = context.getMetricGroup().addGroup("livemap");
        for (Verdict v : Verdict.values()) {
            group.gauge("orders_" + v.name().toLowerCase(java.util.Locale.ROOT), () -> keeper == null ? 0L : keeper.aggregator().count(v));
        }
        group.gauge("orders_dead", () -> dead);
        group.gauge("classification_refused", () -> catalogue.refused());
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
                    "ROW<shard INT, entries BYTES, records BYTES>")) Row input) throws Exception {
        if (keeper == null) {
            begin(journal, snapshot);
        }
        byte[] entries = input.getFieldAs(1);
        if (entries == null) {
            tick(journal, snapshot);
            return;
        }
        if (behindSince == 0) {
            behindSince = System.currentTimeMillis();
        }
        ByteBuffer batch = keeper.batch(entries, journal), records = ByteBuffer.wrap(input.<byte[]>getFieldAs(2));
        while (batch.hasRemaining()) {
            Verdict v = keeper.next(batch);
            handled++;
            if (v == null) {
                dead++;
                collect(Kept.read(records, "orders.dead"));
            } else if (v == Verdict.LATE) {
                collect(Kept.read(records, "orders.late"));
            } else {
                Kept.skip(records);
            }
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
            collect(Row.of(o.topic(), Kept.utf8(o.key()), Kept.utf8(o.value()), null, null));
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
}
