package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Counts products over the last hour of whole minutes, by scope. hour is the sum over the sixty minutes before
 * closed, kept as minutes come and go.
 */
final class Units {
    private static final long HOUR = 3600;
    private static final int MAX_MINUTE_CELLS = 1 << 17;

    private final int limit; // cells in all minutes; units beyond are left out and counted
    private final TreeMap<Long, Counts> minutes = new TreeMap<>(); // by start: product and scope to units
    private final Counts hour = new Counts();
    private final Map<String, Integer> ids = new HashMap<>();
    private final Map<Integer, String> names = new HashMap<>();
    private int lastId;
    private int cells;
    long closed = Times.NONE; // whole minutes before this are in hour
    long leftOut;

    Units(int limit) {
        this.limit = limit;
    }

    String product(long key) {
        return names.get((int) (key >>> 16));
    }

    static int scope(long key) {
        return (int) (key & 0xFFFF);
    }

    /** Counts units in the minute that holds a second, for the world and for a country. */
    void add(long second, String product, int country, long n) {
        long minute = Times.minute(second);
        if (closed != Times.NONE && minute < closed - HOUR) {
            return; // no coming evaluation looks back so far
        }
        Counts bucket = minutes.get(minute);
        Integer id = ids.get(product);
        boolean known = id != null && bucket != null && bucket.get((long) id << 16 | country) != 0;
        if (!known && (cells + 2 > limit || bucket != null && bucket.size() + 2 > MAX_MINUTE_CELLS)) {
            leftOut += n;
            return;
        }
        if (id == null) {
            id = ++lastId;
            ids.put(product, id);
            names.put(id, product);
        }
        if (bucket == null) {
            bucket = new Counts();
            minutes.put(minute, bucket);
        }
        count(bucket, minute, (long) id << 16 | Scopes.WORLD, n);
        count(bucket, minute, (long) id << 16 | country, n);
    }

    private void count(Counts bucket, long minute, long key, long n) {
        if (bucket.add(key, n) == n) {
            cells++;
        }
        if (minute < closed) {
            hour.add(key, n);
        }
    }

    /** The start of the first minute that has units, or Times.NONE. */
    long first() {
        return minutes.isEmpty() ? Times.NONE : minutes.firstKey();
    }

    /** The first whole minute after closed that changes something, or Times.NONE. */
    long next() {
        if (!hour.isEmpty()) {
            return closed + 60;
        }
        Long start = minutes.ceilingKey(closed);
        return start == null ? Times.NONE : start + 60;
    }

    /** Makes hour the sum of the sixty minutes before end. */
    void close(long end) {
        long from = closed == Times.NONE ? end - HOUR : closed;
        closed = end;
        if (from < end) {
            for (Counts bucket : minutes.subMap(from, end).values()) {
                bucket.forEach((key, n) -> hour.add(key, n));
            }
        }
        SortedMap<Long, Counts> gone = minutes.headMap(end - HOUR);
        if (gone.isEmpty()) {
            return;
        }
        for (Counts bucket : gone.values()) {
            cells -= bucket.size();
            bucket.forEach((key, n) -> hour.add(key, -Math.min(n, hour.get(key))));
        }
        gone.clear();
        forget();
    }

    /** Frees the numbers of products that are in no minute any more. */
    private void forget() {
        Set<Integer> used = new HashSet<>();
        for (Counts bucket : minutes.values()) {
            bucket.forEach((key, n) -> used.add((int) (key >>> 16)));
        }
        names.keySet().retainAll(used);
        ids.values().retainAll(used);
    }

    /** The units of every key in the minutes from from to before to. */
    Counts sums(long from, long to) {
        Counts sums = new Counts();
        for (Counts bucket : minutes.subMap(from, to).values()) {
            bucket.forEach(sums::add);
        }
        return sums;
    }

    /** The units of a key in the hour before end, which is at or after closed. */
    long hourTo(long key, long end) {
        if (closed == Times.NONE || end - closed >= HOUR) {
            return sum(key, end - HOUR, end);
        }
        return hour.get(key) + sum(key, closed, end) - sum(key, closed - HOUR, end - HOUR);
    }

    private long sum(long key, long from, long to) {
        long n = 0;
        for (Counts bucket : minutes.subMap(from, to).values()) {
            n += bucket.get(key);
        }
        return n;
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(closed);
        out.writeLong(leftOut);
        out.writeInt(lastId);
        out.writeInt(names.size());
        for (Map.Entry<Integer, String> name : names.entrySet()) {
            out.writeInt(name.getKey());
            out.writeUTF(name.getValue());
        }
        out.writeInt(minutes.size());
        for (Map.Entry<Long, Counts> minute : minutes.entrySet()) {
            out.writeLong(minute.getKey());
            minute.getValue().write(out);
        }
    }

    void read(DataInput in) throws IOException {
        long was = in.readLong();
        leftOut = in.readLong();
        lastId = in.readInt();
        for (int n = in.readInt(); n > 0; n--) {
            int id = in.readInt();
            String name = in.readUTF();
            names.put(id, name);
            ids.put(name, id);
        }
        closed = was;
        for (int n = in.readInt(); n > 0; n--) {
            long minute = in.readLong();
            Counts bucket = new Counts();
            minutes.put(minute, bucket);
            for (int k = in.readInt(); k > 0; k--) {
                count(bucket, minute, in.readLong(), in.readLong());
            }
        }
    }
}
