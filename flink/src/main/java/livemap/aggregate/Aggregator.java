package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The whole state of the aggregation. Orders of a partition come in their order, dead ones left out; ticks come
 * about every 100 ms. The same calls give the same outputs. For one thread.
 */
public final class Aggregator {
    /** Of the bytes that {@link #write} makes; another version is refused. */
    private static final int VERSION = 3;

    private final Settings settings;
    private final Scopes scopes = new Scopes();
    private final Watermarks marks;
    private final History history = new History();
    private final Windows windows;
    private final Trending trending;
    private final List<Batch> batches = new ArrayList<>(List.of(new Batch())); // by scope
    private long highest = Times.NONE; // highest at of an accepted order
    private long now; // wall clock of the last tick
    private final long[] verdicts = new long[Verdict.values().length];

    private List<Output> out = new ArrayList<>();
    private Classification classification = Classification.NONE; // not part of the state

    public Aggregator(Settings settings) {
        this.settings = settings;
        marks = new Watermarks(settings.disorder(), settings.idle());
        windows = new Windows(settings, scopes, history);
        trending = new Trending(settings.maxProductCells());
    }

    public void classify(Classification c) {
        classification = c;
    }

    /** How many orders had a verdict since the figures began. */
    public long count(Verdict v) {
        return verdicts[v.ordinal()];
    }

    /** Units that trending had no room for. */
    public long unitsLeftOut() {
        return trending.units.leftOut;
    }

    /** Takes one order. */
    public Verdict add(Entry e) {
        marks.grow(e.partition + 1);
        Verdict v = judge(e);
        if (v == Verdict.ACCEPTED) {
            v = accept(e);
        }
        verdicts[v.ordinal()]++;
        marks.record(e.partition, v == Verdict.DUPLICATE ? Times.NONE : e.at, now);
        settle();
        return v;
    }

    private Verdict judge(Entry e) {
        long earliest = marks.now - settings.lateness();
        if (marks.parts.get(e.partition).seen.has(e.idHash, e.at, earliest)) {
            return Verdict.DUPLICATE;
        }
        return e.at < earliest ? Verdict.LATE : Verdict.ACCEPTED;
    }

    private Verdict accept(Entry e) {
        highest = Math.max(highest, e.at);
        int country = scopes.country(e.country);
        windows.grow();
        while (batches.size() < scopes.size()) {
            batches.add(new Batch());
        }
        Sums o = new Sums();
        o.orders = 1;
        o.sales = e.sales;
        o.distanceM = e.distanceM;
        o.carbonG = e.carbonG;
        long start = Times.second(e.at);
        boolean correction = windows.isClosed(start);
        if (correction) {
            windows.correct(e, o, country);
        } else {
            windows.store(e, o, country);
        }
        marks.parts.get(e.partition).seen.add(e.idHash, e.at);
        for (int i = 0; i < e.products.length; i++) {
            if (e.units[i] > 0) {
                trending.units.add(start, e.products[i], country, e.units[i]);
            }
        }
        batches.get(Scopes.WORLD).add(e);
        batches.get(country).add(e);
        return correction ? Verdict.CORRECTED : Verdict.ACCEPTED;
    }

    /** As soon as the watermark has passed a minute, because its lists hold exactly the orders accepted until then. */
    private void settle() {
        if (trending.due(marks.now)) {
            trending.settle(marks.now, scopes, classification, now, out);
        }
    }

    /**
     * Tells the wall clock, and of every partition of the topic whether all of its records have been handed in;
     * closes the windows that the watermark has passed and returns all records since the last tick, in a fixed
     * order.
     */
    public List<Output> tick(long now, boolean[] caughtUp) {
        this.now = now;
        marks.grow(caughtUp.length);
        for (int i = 0; i < caughtUp.length; i++) {
            marks.caughtUp(i, caughtUp[i], now);
        }
        marks.tick(now);
        settle();
        if (marks.now != Times.NONE) {
            windows.closeThrough(Times.second(marks.now));
        }
        windows.writeClosed(now, out);
        history.write(scopes, windows.closed, settings, now, out);
        for (int id : scopes.sorted) {
            if (batches.get(id).of > 0) {
                String name = scopes.names.get(id);
                out.add(new Output("shipments", name, batches.get(id).take(name, classification, now)));
            }
        }
        windows.writeRunning(highest, now, out);
        trending.early(highest, settings, scopes, classification, now, out);
        windows.saturate(marks.now);
        if (marks.now != Times.NONE) {
            windows.prune(marks.now - settings.lateness());
            marks.parts.forEach(p -> p.seen.forget(marks.now - settings.lateness()));
        }
        List<Output> records = out;
        out = new ArrayList<>();
        return records;
    }

    /** Writes the whole state. */
    public void write(DataOutput to) throws IOException {
        to.writeInt(VERSION);
        to.writeUTF(fingerprint());
        to.writeLong(highest);
        to.writeLong(now);
        for (long n : verdicts) {
            to.writeLong(n);
        }
        scopes.write(to);
        marks.write(to);
        windows.write(to);
        history.write(to);
        trending.write(to);
        for (Batch b : batches) {
            b.write(to);
        }
        to.writeInt(out.size());
        for (Output o : out) {
            to.writeUTF(o.topic());
            to.writeUTF(o.key());
            byte[] value = o.value().getBytes(java.nio.charset.StandardCharsets.UTF_8);
            to.writeInt(value.length);
            to.write(value);
        }
    }

    /** Builds an aggregator from what write wrote. The message of an exception says what to do. */
    public static Aggregator read(Settings settings, DataInput in) throws IOException {
        int version = in.readInt();
        if (version != VERSION) {
            throw new IOException("state of version " + version + ", this job reads " + VERSION + ": run the job that wrote it, or start without the checkpoint to begin all figures anew");
        }
        Aggregator a = new Aggregator(settings);
        String written = in.readUTF();
        if (!written.equals(a.fingerprint())) {
            throw new IOException("state was written with " + written + ", the job has " + a.fingerprint()
                    + ": start it with those settings, or without the checkpoint to begin all figures anew");
        }
        a.highest = in.readLong();
        a.now = in.readLong();
        for (int i = 0; i < a.verdicts.length; i++) {
            a.verdicts[i] = in.readLong();
        }
        a.scopes.read(in);
        a.windows.grow();
        a.marks.read(in);
        a.windows.read(in);
        a.history.read(in);
        a.trending.read(in);
        while (a.batches.size() < a.scopes.size()) {
            a.batches.add(new Batch());
        }
        for (Batch b : a.batches) {
            b.read(in);
        }
        for (int n = in.readInt(); n > 0; n--) {
            String topic = in.readUTF(), key = in.readUTF();
            byte[] value = new byte[in.readInt()];
            in.readFully(value);
            a.out.add(new Output(topic, key, new String(value, java.nio.charset.StandardCharsets.UTF_8)));
        }
        return a;
    }

    /** The settings that the state depends on. */
    private String fingerprint() {
        return "currency " + settings.currency() + ", total-since " + livemap.orders.Times.format(settings.totalSince())
                + ", lateness " + settings.lateness() + " ms";
    }
}
