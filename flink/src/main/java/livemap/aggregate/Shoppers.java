package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * Remembers in which panes each (shopper, scope) was seen, so that an order tells at once how many windows of
 * its scope gain a shopper: with p and n the nearest panes before and after s that also saw it, the windows
 * that hold s but neither gain one, and their ends run from max(s, p+60)+1 to min(s+60, n). Go's shoppers.go
 * tells why it is done so.
 *
 * <p>An entry is stride words: key, newest pane, and bits of which bit i stands for the pane i seconds before
 * the newest.
 */
final class Shoppers {
    private static final int FIRST_ENTRIES = 1 << 10;

    private final int stride;
    final int span; // panes that the bits cover
    private long[] words;
    long base = Times.NONE; // panes before are forgotten, those from base+span on wait
    boolean[] saturated = new boolean[0]; // panes that need not be remembered, from saturatedFrom on
    long saturatedFrom;
    int used; // entries, forgotten ones included

    // The result of add: ends of windows that gain, and the nearest panes that saw the shopper too.
    long from, to, prev, next;

    Shoppers(int seconds) {
        int bits = (seconds + 63) / 64;
        stride = 2 + bits;
        span = bits * 64;
        words = new long[FIRST_ENTRIES * stride];
    }

    boolean covers(long s) {
        return s >= base && s < base + span;
    }

    static long key(long hash, int scope, short code) {
        if (scope == Scopes.WORLD) {
            return hash == 0 ? 1 : hash;
        }
        long h = hash ^ code * 0x9e3779b97f4a7c15L;
        h ^= h >>> 32;
        h *= 0xd6e8feb86659fd93L;
        h ^= h >>> 32;
        return h == 0 ? 1 : h;
    }

    /** Notes that pane s saw key; false if it had seen it before. */
    boolean add(long key, long s) {
        if ((used + 1) * 4L > words.length / stride * 3L) {
            rebuild();
        }
        int e = find(key);
        from = s + 1;
        to = s + Times.WINDOW;
        prev = next = Times.NONE;
        if (words[e] == 0) {
            used++;
            words[e] = key;
            words[e + 1] = s;
            words[e + 2] = 1;
            return true;
        }
        if (s > words[e + 1]) {
            shiftUp(e + 2, s - words[e + 1]);
            words[e + 1] = s;
        }
        int i = (int) (words[e + 1] - s);
        if ((words[e + 2 + i / 64] & 1L << i) != 0) {
            return false;
        }
        words[e + 2 + i / 64] |= 1L << i;
        neighbours(e + 2, words[e + 1], i);
        return true;
    }

    private void neighbours(int bitmap, long newest, int at) {
        int above = bitAbove(bitmap, at);
        if (above >= 0 && above - at <= Times.WINDOW) {
            prev = newest - above;
            from = Math.max(from, prev + Times.WINDOW + 1);
        }
        int below = bitBelow(bitmap, at);
        if (below >= 0 && at - below <= Times.WINDOW) {
            next = newest - below;
            to = Math.min(to, next);
        }
    }

    private int find(long key) {
        int mask = words.length / stride - 1;
        int i = (int) key & mask;
        while (words[i * stride] != 0 && words[i * stride] != key) {
            i = i + 1 & mask;
        }
        return i * stride;
    }

    private void rebuild() {
        long[] old = words;
        int live = 0;
        for (int e = 0; e < old.length; e += stride) {
            if (needed(e)) {
                live++;
            } else {
                old[e] = 0;
            }
        }
        int size = FIRST_ENTRIES;
        while (size < 2L * (live + 1)) {
            size *= 2;
        }
        words = new long[size * stride];
        used = live;
        for (int e = 0; e < old.length; e += stride) {
            if (old[e] != 0) {
                System.arraycopy(old, e, words, find(old[e]), stride);
            }
        }
    }

    private boolean needed(int e) {
        long newest = words[e + 1];
        if (words[e] == 0 || newest < base) {
            return false;
        }
        for (int w = 0; w < stride - 2; w++) {
            for (long rest = words[e + 2 + w]; rest != 0; rest &= rest - 1) {
                long s = newest - (w * 64 + Long.numberOfTrailingZeros(rest));
                if (s < base) {
                    return false;
                }
                long i = s - saturatedFrom;
                if (i < 0 || i >= saturated.length || !saturated[(int) i]) {
                    return true;
                }
            }
        }
        return false;
    }

    void reset(long base) {
        java.util.Arrays.fill(words, 0);
        used = 0;
        this.base = base;
        saturated = new boolean[0];
    }

    private void shiftUp(int bitmap, long n) {
        int whole = (int) Math.min(n / 64, span), part = (int) (n % 64), size = stride - 2;
        for (int i = size - 1; i >= 0; i--) {
            long w = 0;
            int j = i - whole;
            if (j >= 0) {
                w = words[bitmap + j] << part;
                if (part > 0 && j > 0) {
                    w |= words[bitmap + j - 1] >>> 64 - part;
                }
            }
            words[bitmap + i] = w;
        }
    }

    private int bitAbove(int bitmap, int i) {
        i++;
        for (int w = i / 64; w < stride - 2; w++) {
            long rest = words[bitmap + w];
            if (w == i / 64) {
                rest &= -1L << i;
            }
            if (rest != 0) {
                return w * 64 + Long.numberOfTrailingZeros(rest);
            }
        }
        return -1;
    }

    private int bitBelow(int bitmap, int i) {
        for (int w = i / 64; w >= 0; w--) {
            long rest = words[bitmap + w];
            if (w == i / 64) {
                rest &= (1L << i) - 1;
            }
            if (rest != 0) {
                return w * 64 + 63 - Long.numberOfLeadingZeros(rest);
            }
        }
        return -1;
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(base);
        out.writeLong(saturatedFrom);
        out.writeInt(saturated.length);
        for (boolean s : saturated) {
            out.writeBoolean(s);
        }
        out.writeInt(used);
        for (int e = 0; e < words.length; e += stride) {
            if (words[e] != 0) {
                for (int w = 0; w < stride; w++) {
                    out.writeLong(words[e + w]);
                }
            }
        }
    }

    void read(DataInput in) throws IOException {
        base = in.readLong();
        saturatedFrom = in.readLong();
        saturated = new boolean[in.readInt()];
        for (int i = 0; i < saturated.length; i++) {
            saturated[i] = in.readBoolean();
        }
        int n = in.readInt();
        int size = FIRST_ENTRIES;
        while (size < 2L * (n + 1)) {
            size *= 2;
        }
        words = new long[size * stride];
        long[] entry = new long[stride];
        for (used = 0; used < n; used++) {
            for (int w = 0; w < stride; w++) {
                entry[w] = in.readLong();
            }
            System.arraycopy(entry, 0, words, find(entry[0]), stride);
        }
    }
}
