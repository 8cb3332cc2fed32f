package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;

/** The panes that are open or within reach of a correction, by their start. Seconds without an order have none. */
final class Panes {
    /** One scope's share of a pane. */
    static final class Cell extends Sums {
        // How the scope's distinct shoppers change when this pane enters a window and when it leaves, see Shoppers.
        long enter;
        long leave;

        @Override
        void write(DataOutput out) throws IOException {
            super.write(out);
            out.writeLong(enter);
            out.writeLong(leave);
        }

        @Override
        void read(DataInput in) throws IOException {
            super.read(in);
            enter = in.readLong();
            leave = in.readLong();
        }
    }

    /** Shoppers by country, in the order of their arrival. */
    static final class Pairs {
        long[] hashes = new long[4];
        short[] countries = new short[4]; // scopes
        int size;

        void add(long hash, int country) {
            if (size == hashes.length) {
                hashes = Arrays.copyOf(hashes, 2 * size);
                countries = Arrays.copyOf(countries, 2 * size);
            }
            hashes[size] = hash;
            countries[size++] = (short) country;
        }
    }

    /** One second of accepted orders. */
    static final class Pane {
        final long start;
        Cell[] cells = new Cell[4]; // by scope, null where there is none
        Pairs pairs; // null once the pane is closed
        int[] sketch = new int[0]; // of a closed pane, see Sketches
        int sketched;
        boolean saturated; // every window that holds it has too many shoppers to count

        Pane(long start) {
            this.start = start;
        }

        Cell at(int id) {
            if (id >= cells.length) {
                cells = Arrays.copyOf(cells, Math.max(id + 1, 2 * cells.length));
            }
            if (cells[id] == null) {
                cells[id] = new Cell();
            }
            return cells[id];
        }

        Cell get(int id) {
            return id < cells.length ? cells[id] : null;
        }

        void notePair(long hash, int country) {
            if (pairs != null) {
                pairs.add(hash, country);
                return;
            }
            if (sketched == sketch.length) {
                sketch = Arrays.copyOf(sketch, Math.max(8, 2 * sketched));
            }
            sketch[sketched++] = Sketches.entry(hash, country);
        }

        void close() {
            if (pairs != null) {
                sketch = Sketches.of(pairs);
                sketched = sketch.length;
                pairs = null;
            }
        }

        void write(DataOutput out) throws IOException {
            out.writeLong(start);
            out.writeBoolean(saturated);
            int used = 0;
            for (Cell c : cells) {
                used += c == null ? 0 : 1;
            }
            out.writeInt(used);
            for (int id = 0; id < cells.length; id++) {
                if (cells[id] != null) {
                    out.writeShort(id);
                    cells[id].write(out);
                }
            }
            out.writeInt(pairs == null ? -1 : pairs.size);
            for (int i = 0; pairs != null && i < pairs.size; i++) {
                out.writeLong(pairs.hashes[i]);
                out.writeShort(pairs.countries[i]);
            }
            out.writeInt(sketched);
            for (int i = 0; i < sketched; i++) {
                out.writeInt(sketch[i]);
            }
        }

        static Pane read(DataInput in) throws IOException {
            Pane p = new Pane(in.readLong());
            p.saturated = in.readBoolean();
            for (int n = in.readInt(); n > 0; n--) {
                p.at(in.readShort()).read(in);
            }
            int pairs = in.readInt();
            if (pairs >= 0) {
                p.pairs = new Pairs();
                for (; pairs > 0; pairs--) {
                    p.pairs.add(in.readLong(), in.readShort());
                }
            }
            p.sketched = in.readInt();
            p.sketch = new int[p.sketched];
            for (int i = 0; i < p.sketched; i++) {
                p.sketch[i] = in.readInt();
            }
            return p;
        }
    }

    private final TreeMap<Long, Pane> byStart = new TreeMap<>();
    private Pane last; // asked for last: orders arrive nearly in order

    Pane get(long start) {
        return last != null && last.start == start ? last : byStart.get(start);
    }

    Pane openAt(long start) {
        Pane p = get(start);
        if (p == null) {
            p = new Pane(start);
            p.pairs = new Pairs();
            byStart.put(start, p);
        }
        last = p;
        return p;
    }

    Pane closedAt(long start) {
        Pane p = get(start);
        if (p == null) {
            p = new Pane(start);
            byStart.put(start, p);
        }
        return p;
    }

    SortedMap<Long, Pane> all() {
        return byStart;
    }

    SortedMap<Long, Pane> from(long start) {
        return byStart.tailMap(start);
    }

    /** The start of the first pane at or after a second, or Times.NONE. */
    long next(long start) {
        Long key = byStart.ceilingKey(start);
        return key == null ? Times.NONE : key;
    }

    void dropBefore(long start) {
        byStart.headMap(start).clear();
        if (last != null && last.start < start) {
            last = null;
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(byStart.size());
        for (Pane p : byStart.values()) {
            p.write(out);
        }
    }

    void read(DataInput in) throws IOException {
        for (int n = in.readInt(); n > 0; n--) {
            Pane p = Pane.read(in);
            byStart.put(p.start, p);
        }
    }
}
