package livemap.aggregate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import livemap.orders.GoNumbers;

/**
 * HyperLogLog with 2^16 registers, for windows of more shoppers than are counted exactly: Go's sketch.go. A
 * pane keeps the registers that its shoppers touch as a list; a window's are united when they are asked for.
 */
final class Sketches {
    private static final int BITS = 16;
    private static final int REGISTERS = 1 << BITS;
    private static final int MAX_RANK = 64 - BITS + 1;
    private static final int COMPACT = 1 << 14; // length from which a list is reduced

    private final List<byte[]> rows = new ArrayList<>(); // by scope, null where there is none

    /** Packs a scope (10 bits), a register (16) and a rank (6). */
    static int entry(long hash, int country) {
        int register = (int) (hash >>> 64 - BITS);
        int rank = Math.min(Long.numberOfLeadingZeros(hash << BITS) + 1, MAX_RANK);
        return country << 22 | register << 6 | rank;
    }

    static int[] of(Panes.Pairs pairs) {
        int[] list = new int[pairs.size];
        for (int i = 0; i < list.length; i++) {
            list[i] = entry(pairs.hashes[i], pairs.countries[i]);
        }
        if (list.length < COMPACT) {
            return list;
        }
        Arrays.sort(list);
        int kept = 0;
        for (int i = 1; i < list.length; i++) {
            if (list[kept] >>> 6 != list[i] >>> 6) {
                kept++;
            }
            list[kept] = list[i];
        }
        return Arrays.copyOf(list, kept + 1);
    }

    private void note(int entry) {
        int register = entry >>> 6 & REGISTERS - 1;
        byte rank = (byte) (entry & 63);
        raise(entry >>> 22, register, rank);
        raise(Scopes.WORLD, register, rank);
    }

    private void raise(int id, int register, byte rank) {
        while (id >= rows.size()) {
            rows.add(null);
        }
        if (rows.get(id) == null) {
            rows.set(id, new byte[REGISTERS]);
        }
        if (rank > rows.get(id)[register]) {
            rows.get(id)[register] = rank;
        }
    }

    /** The estimated distinct shoppers of each scope in the window that ends at end. */
    long[] estimates(Panes panes, long end, int scopes) {
        for (byte[] row : rows) {
            if (row != null) {
                Arrays.fill(row, (byte) 0);
            }
        }
        for (Panes.Pane p : panes.from(end - Times.WINDOW).values()) {
            if (p.start >= end) {
                break;
            }
            for (int i = 0; i < p.sketched; i++) {
                note(p.sketch[i]);
            }
            for (int i = 0; p.pairs != null && i < p.pairs.size; i++) {
                note(entry(p.pairs.hashes[i], p.pairs.countries[i]));
            }
        }
        long[] result = new long[scopes];
        for (int id = 0; id < rows.size() && id < scopes; id++) {
            if (rows.get(id) != null) {
                result[id] = (long) GoNumbers.round(distinct(rows.get(id)));
            }
        }
        return result;
    }

    /** The improved raw estimator of O. Ertl, 2017, algorithm 6. */
    private static double distinct(byte[] registers) {
        int[] counts = new int[MAX_RANK + 1];
        for (byte r : registers) {
            counts[r]++;
        }
        double m = registers.length;
        double z = m * tau(1 - counts[MAX_RANK] / m);
        for (int k = MAX_RANK - 1; k >= 1; k--) {
            z = 0.5 * (z + counts[k]);
        }
        z += m * sigma(counts[0] / m);
        return m * m / (2 * 0.693147180559945309417232121458176568 * z);
    }

    private static double sigma(double x) {
        if (x == 1) {
            return Double.POSITIVE_INFINITY;
        }
        double y = 1, z = x;
        while (true) {
            x *= x;
            double before = z;
            z += x * y;
            y += y;
            if (z == before) {
                return z;
            }
        }
    }

    private static double tau(double x) {
        if (x == 0 || x == 1) {
            return 0;
        }
        double y = 1, z = 1 - x;
        while (true) {
            x = Math.sqrt(x);
            double before = z;
            y *= 0.5;
            z -= (1 - x) * (1 - x) * y;
            if (z == before) {
                return z / 3;
            }
        }
    }
}
