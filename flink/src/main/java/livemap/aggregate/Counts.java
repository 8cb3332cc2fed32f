package livemap.aggregate;

import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * Counts by key, both numbers: a map without objects, by open addressing. A key is never 0. A count of zero is
 * as good as none, and its key is forgotten when the table grows. For one thread.
 */
final class Counts {
    interface Visitor {
        void visit(long key, long n);
    }

    private static final int FIRST_SLOTS = 16;

    private long[] keys = new long[FIRST_SLOTS]; // 0: free
    private long[] counts = new long[FIRST_SLOTS];
    private int used; // slots with a key, forgotten ones included
    private int size; // keys with a count

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    long get(long key) {
        return counts[slot(key)];
    }

    /** Adds to a key's count and returns the sum. */
    long add(long key, long n) {
        if (used * 4 >= keys.length * 3) {
            rebuild();
        }
        int i = slot(key);
        if (keys[i] == 0) {
            keys[i] = key;
            used++;
        }
        long before = counts[i], sum = before + n;
        counts[i] = sum;
        size += (sum == 0 ? 0 : 1) - (before == 0 ? 0 : 1);
        return sum;
    }

    void forEach(Visitor v) {
        for (int i = 0; i < keys.length; i++) {
            if (counts[i] != 0) {
                v.visit(keys[i], counts[i]);
            }
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(size);
        for (int i = 0; i < keys.length; i++) {
            if (counts[i] != 0) {
                out.writeLong(keys[i]);
                out.writeLong(counts[i]);
            }
        }
    }

    void clear() {
        if (used * 8 < keys.length && keys.length > FIRST_SLOTS) { // it was larger once
            keys = new long[FIRST_SLOTS];
            counts = new long[FIRST_SLOTS];
        } else if (used > 0) {
            Arrays.fill(keys, 0);
            Arrays.fill(counts, 0);
        }
        used = size = 0;
    }

    private int slot(long key) {
        int i = mix(key) & keys.length - 1;
        while (keys[i] != 0 && keys[i] != key) {
            i = i + 1 & keys.length - 1;
        }
        return i;
    }

    /** Keys are packed numbers, which differ in few bits: all of them must reach the low ones. */
    private static int mix(long key) {
        long h = key * 0x9e3779b97f4a7c15L;
        return (int) (h ^ h >>> 32);
    }

    private void rebuild() {
        long[] oldKeys = keys, oldCounts = counts;
        int slots = FIRST_SLOTS;
        while (slots < 2L * (size + 1)) {
            slots *= 2;
        }
        keys = new long[slots];
        counts = new long[slots];
        used = size;
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldCounts[i] != 0) {
                int j = slot(oldKeys[i]);
                keys[j] = oldKeys[i];
                counts[j] = oldCounts[i];
            }
        }
    }
}
