package livemap.aggregate;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** XXH64 with seed 0 (Collet), by which ids and shoppers are known. */
public final class XxHash {
    private static final long P1 = 0x9E3779B185EBCA87L, P2 = 0xC2B2AE3D27D4EB4FL, P3 = 0x165667B19E3779F9L;
    private static final long P4 = 0x85EBCA77C2B2AE63L, P5 = 0x27D4EB2F165667C5L;
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private XxHash() {}

    public static long of(String s) {
        return of(s.getBytes(StandardCharsets.UTF_8));
    }

    public static long of(byte[] b) {
        int i = 0, n = b.length;
        long h;
        if (n >= 32) {
            long v1 = P1 + P2, v2 = P2, v3 = 0, v4 = -P1;
            for (; i <= n - 32; i += 32) {
                v1 = round(v1, (long) LONG.get(b, i));
                v2 = round(v2, (long) LONG.get(b, i + 8));
                v3 = round(v3, (long) LONG.get(b, i + 16));
                v4 = round(v4, (long) LONG.get(b, i + 24));
            }
            h = Long.rotateLeft(v1, 1) + Long.rotateLeft(v2, 7) + Long.rotateLeft(v3, 12) + Long.rotateLeft(v4, 18);
            h = merge(merge(merge(merge(h, v1), v2), v3), v4);
        } else {
            h = P5;
        }
        h += n;
        for (; i <= n - 8; i += 8) {
            h = Long.rotateLeft(h ^ round(0, (long) LONG.get(b, i)), 27) * P1 + P4;
        }
        if (i <= n - 4) {
            h = Long.rotateLeft(h ^ ((int) INT.get(b, i) & 0xFFFFFFFFL) * P1, 23) * P2 + P3;
            i += 4;
        }
        for (; i < n; i++) {
            h = Long.rotateLeft(h ^ (b[i] & 0xFF) * P5, 11) * P1;
        }
        h = (h ^ h >>> 33) * P2;
        h = (h ^ h >>> 29) * P3;
        return h ^ h >>> 32;
    }

    private static long round(long acc, long input) {
        return Long.rotateLeft(acc + input * P2, 31) * P1;
    }

    private static long merge(long acc, long v) {
        return (acc ^ round(0, v)) * P1 + P4;
    }
}
