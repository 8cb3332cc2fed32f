package livemap.orders;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Makes texts of UTF-8 bytes, and of the same bytes mostly the same text: field names, cities, products come
 * again and again, and a text that is looked up leaves no garbage. A table of fixed size in
 * which the newer text takes the place of another; what does not fit is made anew each time. For one thread.
 */
public final class Interner {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int MAX_BYTES = 128; // of a text that is kept

    private final byte[][] keys;
    private final String[] texts;

    /** Keeps at most 2^bits texts. */
    public Interner(int bits) {
        keys = new byte[1 << bits][];
        texts = new String[1 << bits];
    }

    public String text(byte[] b, int from, int to) {
        if (to - from > MAX_BYTES) {
            return new String(b, from, to - from, StandardCharsets.UTF_8);
        }
        int slot = hash(b, from, to) & keys.length - 1;
        byte[] key = keys[slot];
        if (key == null || !Arrays.equals(key, 0, key.length, b, from, to)) {
            keys[slot] = Arrays.copyOfRange(b, from, to);
            texts[slot] = new String(b, from, to - from, StandardCharsets.UTF_8);
        }
        return texts[slot];
    }

    private static int hash(byte[] b, int from, int to) {
        long h = to - from;
        int i = from;
        for (; i <= to - 8; i += 8) {
            h = mix(h ^ (long) LONG.get(b, i));
        }
        long rest = 0;
        for (; i < to; i++) {
            rest = rest << 8 | b[i] & 0xFF;
        }
        h = mix(h ^ rest);
        return (int) (h >>> 32);
    }

    private static long mix(long h) {
        h *= 0x9e3779b97f4a7c15L;
        return h ^ h >>> 29;
    }
}
