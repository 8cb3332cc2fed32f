package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** What one scope accepted since the last flush: one record of shipments. */
final class Batch {
    private static final int MAX_ARC_CELLS = 4096; // origins and destinations counted; orders of further ones are only in of
    private static final int MAX_ARCS = 64;
    private static final int MAX_LATEST = 4;
    private static final int MAX_BYTES = 8 << 10;

    /** One order as the page lists it. */
    record Latest(long at, String product, long amount, String currency, String from, String to) {}

    private record Arc(long arc, long n) {}

    long of;
    private long at; // highest event time
    private final Counts arcs = new Counts();
    private final List<Latest> latest = new ArrayList<>(); // newest first

    void add(Entry e) {
        at = of == 0 ? e.at : Math.max(at, e.at);
        of++;
        if (arcs.size() < MAX_ARC_CELLS || arcs.get(e.arc) > 0) {
            arcs.add(e.arc, 1);
        }
        int n = latest.size();
        if (n == MAX_LATEST && e.at < latest.get(n - 1).at()) {
            return;
        }
        int i = 0;
        while (i < n && latest.get(i).at() > e.at) {
            i++;
        }
        latest.add(i, new Latest(e.at, e.products[0], e.amount, e.currency, e.fromCity, e.toCity));
        if (latest.size() > MAX_LATEST) {
            latest.remove(MAX_LATEST);
        }
    }

    /** The record, within its most bytes: arcs go from the end, and then latest orders, until it fits. The batch is then empty. */
    String take(String scope, Classification classification, long now) {
        List<Arc> list = new ArrayList<>(arcs.size());
        arcs.forEach((arc, n) -> list.add(new Arc(arc, n)));
        list.sort((x, y) -> x.n() == y.n() ? Long.compareUnsigned(x.arc(), y.arc()) : Long.compare(y.n(), x.n()));
        int arcCount = Math.min(list.size(), MAX_ARCS), latestCount = latest.size();
        while (true) {
            StringBuilder a = new StringBuilder(), l = new StringBuilder();
            long shown = 0;
            for (int i = 0; i < arcCount; i++) {
                shown += list.get(i).n();
                Json.arc(i == 0 ? a : a.append(','), list.get(i).arc(), list.get(i).n());
            }
            for (int i = 0; i < latestCount; i++) {
                Latest order = latest.get(i);
                Classification.Label label = classification.find(order.product(), order.at());
                Json.latest(i == 0 ? l : l.append(','), order, label == null ? Classification.UNCLASSIFIED_TITLE : label.title());
            }
            String value = Json.shipments(scope, at, shown, of, a.toString(), l.toString(), now);
            int excess = value.getBytes(java.nio.charset.StandardCharsets.UTF_8).length - MAX_BYTES;
            if (excess <= 0) {
                arcs.clear();
                latest.clear();
                of = 0;
                return value;
            }
            if (arcCount > 0) {
                arcCount -= Math.min(arcCount, (excess + 56) / 57); // an arc has at most 57 bytes
            } else {
                latestCount--;
            }
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(of);
        out.writeLong(at);
        arcs.write(out);
        out.writeInt(latest.size());
        for (Latest l : latest) {
            out.writeLong(l.at());
            out.writeUTF(l.product());
            out.writeLong(l.amount());
            out.writeUTF(l.currency());
            out.writeUTF(l.from());
            out.writeUTF(l.to());
        }
    }

    void read(DataInput in) throws IOException {
        of = in.readLong();
        at = in.readLong();
        for (int n = in.readInt(); n > 0; n--) {
            arcs.add(in.readLong(), in.readLong());
        }
        for (int n = in.readInt(); n > 0; n--) {
            latest.add(new Latest(in.readLong(), in.readUTF(), in.readLong(), in.readUTF(), in.readUTF(), in.readUTF()));
        }
    }
}
