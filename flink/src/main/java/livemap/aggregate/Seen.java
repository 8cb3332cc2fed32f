package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/**
 * One partition's memory of accepted ids. Time is cut into spans of the duplicate distance: of two orders
 * within that distance the second is in the span of the first or a neighbour, and a span holds an accepted id
 * only once. So three lookups answer, and a whole span is forgotten at once.
 */
final class Seen {
    /** How far apart two orders of one partition with the same id still count as one, in milliseconds. */
    private static final long SPAN = 10_000;

    private final Map<Long, Ids> spans = new HashMap<>();

    /** Whether an id was accepted within the distance of at; what lies too far before earliest is forgotten. */
    boolean has(long hash, long at, long earliest) {
        long span = Math.floorDiv(at, SPAN);
        for (long near = span - 1; near <= span + 1; near++) {
            Ids ids = spans.get(near);
            int offset = ids == null ? -1 : ids.get(hash);
            if (offset >= 0) {
                long other = near * SPAN + offset;
                if (Math.abs(other - at) <= SPAN && other >= earliest - SPAN) {
                    return true;
                }
            }
        }
        return false;
    }

    void add(long hash, long at) {
        long span = Math.floorDiv(at, SPAN);
        spans.computeIfAbsent(span, s -> new Ids()).put(hash, (int) (at - span * SPAN));
    }

    void forget(long earliest) {
        long oldest = Math.floorDiv(earliest - SPAN, SPAN);
        spans.keySet().removeIf(span -> span < oldest);
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(spans.size());
        for (Iterator<Map.Entry<Long, Ids>> it = spans.entrySet().iterator(); it.hasNext(); ) {
            Map.Entry<Long, Ids> span = it.next();
            out.writeLong(span.getKey());
            span.getValue().write(out);
        }
    }

    void read(DataInput in) throws IOException {
        for (int n = in.readInt(); n > 0; n--) {
            Ids ids = new Ids();
            spans.put(in.readLong(), ids);
            ids.read(in);
        }
    }

    /** A map from hash to milliseconds within the span, by open addressing. */
    private static final class Ids {
        private long[] keys = new long[64]; // 0: free
        private short[] offsets = new short[64];
        private int used;

        private int slot(long key) {
            int i = (int) key & keys.length - 1;
            while (keys[i] != 0 && keys[i] != key) {
                i = i + 1 & keys.length - 1;
            }
            return i;
        }

        int get(long hash) {
            int i = slot(hash == 0 ? 1 : hash);
            return keys[i] == 0 ? -1 : offsets[i];
        }

        void put(long hash, int offset) {
            if (used * 4 >= keys.length * 3) {
                grow();
            }
            long key = hash == 0 ? 1 : hash;
            int i = slot(key);
            if (keys[i] == 0) {
                used++;
            }
            keys[i] = key;
            offsets[i] = (short) offset;
        }

        private void grow() {
            long[] oldKeys = keys;
            short[] oldOffsets = offsets;
            keys = new long[2 * oldKeys.length];
            offsets = new short[2 * oldKeys.length];
            for (int i = 0; i < oldKeys.length; i++) {
                if (oldKeys[i] != 0) {
                    int j = slot(oldKeys[i]);
                    keys[j] = oldKeys[i];
                    offsets[j] = oldOffsets[i];
                }
            }
        }

        void write(DataOutput out) throws IOException {
            out.writeInt(used);
            for (int i = 0; i < keys.length; i++) {
                if (keys[i] != 0) {
                    out.writeLong(keys[i]);
                    out.writeShort(offsets[i]);
                }
            }
        }

        void read(DataInput in) throws IOException {
            for (int n = in.readInt(); n > 0; n--) {
                put(in.readLong(), in.readShort());
            }
        }
    }
}
