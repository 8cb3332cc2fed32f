package livemap.aggregate;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import livemap.orders.Utf8;

/**
 * Titles and categories of products, from the times at which they hold. Immutable once built. Millions of
 * products as objects would fill the heap of a whole job, so the texts lie in one array and the rest in columns:
 * about a hundred bytes a product.
 */
public final class Classification {
    static final String UNCLASSIFIED = "unclassified";
    /** What the list of latest orders shows for products without one: a product id is for trending only. */
    static final String UNCLASSIFIED_TITLE = "Unclassified product";
    /** Of no product. */
    public static final Classification NONE = new Builder().build();
    private static final int MAX_LABEL_BYTES = 256;
    private static final int NO_TITLE = -1; // the product's own id stands for it
    private static final int FIRST_ROWS = 16;

    record Label(String title, String category) {}

    // Rows. Those of one product are a chain, from the youngest validity to the oldest.
    private byte[] texts = new byte[FIRST_ROWS * 32]; // each with its length in two bytes before it
    private int textsEnd;
    private int[] product = new int[FIRST_ROWS]; // position in texts
    private int[] title = new int[FIRST_ROWS];
    private int[] category = new int[FIRST_ROWS]; // in categories
    private long[] from = new long[FIRST_ROWS];
    private int[] older = new int[FIRST_ROWS]; // -1: none
    private int rows;
    private final List<String> categories = new ArrayList<>();

    private int[] heads = new int[2 * FIRST_ROWS]; // the chains by hash of the product: row+1, 0 where there is none
    private int size; // products

    private Classification() {}

    /** Collects rows. Not to be used any more once it has built. */
    public static final class Builder {
        private final Classification c = new Classification();
        private final Map<String, Integer> known = new HashMap<>(); // numbers of categories

        /** Adds what holds of a product from a time on; title and category are null or empty where the file has none. Ignored without a product. */
        public Builder add(String product, String title, String category, long validFrom) {
            if (product == null || product.isEmpty()) {
                return this;
            }
            int row = c.grow();
            String name = Utf8.cut(category == null || category.isEmpty() ? UNCLASSIFIED : category, MAX_LABEL_BYTES);
            c.category[row] = known.computeIfAbsent(name, n -> {
                c.categories.add(n);
                return c.categories.size() - 1;
            });
            c.product[row] = c.text(product);
            c.title[row] = title == null || title.isEmpty() ? NO_TITLE : c.text(Utf8.cut(title, MAX_LABEL_BYTES));
            c.from[row] = validFrom;
            c.link(row);
            return this;
        }

        public Classification build() {
            c.order();
            return c;
        }
    }

    private int grow() {
        if (rows == product.length) {
            product = Arrays.copyOf(product, 2 * rows);
            title = Arrays.copyOf(title, 2 * rows);
            category = Arrays.copyOf(category, 2 * rows);
            from = Arrays.copyOf(from, 2 * rows);
            older = Arrays.copyOf(older, 2 * rows);
        }
        return rows++;
    }

    private int text(String s) {
        byte[] b = s.getBytes(StandardCharsets.UTF_8);
        int at = textsEnd, end = Math.addExact(at, 2 + b.length);
        if (end > texts.length) {
            texts = Arrays.copyOf(texts, (int) Math.min(Math.max(2L * texts.length, end), Integer.MAX_VALUE - 8));
        }
        texts[at] = (byte) (b.length >> 8);
        texts[at + 1] = (byte) b.length;
        System.arraycopy(b, 0, texts, at + 2, b.length);
        textsEnd = end;
        return at;
    }

    private int length(int at) {
        return (texts[at] & 0xFF) << 8 | texts[at + 1] & 0xFF;
    }

    private String textAt(int at) {
        return new String(texts, at + 2, length(at), StandardCharsets.UTF_8);
    }

    private void link(int row) {
        if (size * 2 >= heads.length) {
            int[] old = heads;
            heads = new int[2 * old.length];
            for (int head : old) {
                if (head != 0) {
                    heads[slot(texts, product[head - 1] + 2, length(product[head - 1]))] = head;
                }
            }
        }
        int slot = slot(texts, product[row] + 2, length(product[row]));
        size += heads[slot] == 0 ? 1 : 0;
        older[row] = heads[slot] - 1;
        heads[slot] = row + 1;
    }

    /** Orders each chain; of rows for the same product and time the last one that was added counts. */
    private void order() {
        for (int slot = 0; slot < heads.length; slot++) {
            if (heads[slot] == 0 || older[heads[slot] - 1] < 0) {
                continue;
            }
            List<Integer> chain = new ArrayList<>();
            for (int row = heads[slot] - 1; row >= 0; row = older[row]) {
                chain.add(row); // the last one first, and sorting leaves equal ones so
            }
            chain.sort(Comparator.comparingLong((Integer row) -> from[row]).reversed());
            int next = -1;
            for (int i = chain.size() - 1; i >= 0; i--) {
                older[chain.get(i)] = next;
                next = chain.get(i);
            }
            heads[slot] = next + 1;
        }
    }

    private int slot(byte[] b, int at, int n) {
        int h = 0;
        for (int i = at; i < at + n; i++) {
            h = 31 * h + b[i];
        }
        h *= 0x9e3779b9;
        int i = (h ^ h >>> 16) & heads.length - 1;
        while (heads[i] != 0) {
            int known = product[heads[i] - 1];
            if (Arrays.equals(texts, known + 2, known + 2 + length(known), b, at, at + n)) {
                break;
            }
            i = i + 1 & heads.length - 1;
        }
        return i;
    }

    public int size() {
        return size;
    }

    /** What is in force at a time, or null. */
    Label find(String id, long at) {
        byte[] b = id.getBytes(StandardCharsets.UTF_8);
        int row = heads[slot(b, 0, b.length)] - 1;
        while (row >= 0 && from[row] > at) {
            row = older[row];
        }
        if (row < 0) {
            return null;
        }
        return new Label(title[row] == NO_TITLE ? Utf8.cut(id, MAX_LABEL_BYTES) : textAt(title[row]), categories.get(category[row]));
    }
}
