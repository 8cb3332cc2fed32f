package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The windows that the watermark has passed and that corrections can still reach, by their end. */
final class ClosedWindows {
    /** One scope of a closed window. */
    static final class Cell {
        final Sums.Figures figures = new Sums.Figures();
        final Sums total = new Sums();
        int revision = -1; // -1: not written yet
        boolean dirty; // to be written by the next flush
        long shown; // shoppers as written last: tracked or estimated

        /** The figures as they were written last. */
        Sums.Figures written() {
            Sums.Figures f = new Sums.Figures();
            f.set(figures);
            f.shoppers = shown;
            return f;
        }
    }

    static final class Window {
        final long end;
        final List<Cell> cells = new ArrayList<>(); // by scope
        boolean dirty; // some cell is
        boolean estimated; // it held too many shoppers to count

        Window(long end) {
            this.end = end;
        }

        void mark(Cell c) {
            c.dirty = true;
            dirty = true;
        }

        long pairs() {
            long n = 0;
            for (Cell c : cells) {
                n += c.figures.shoppers;
            }
            return n;
        }
    }

    final TreeMap<Long, Window> byEnd = new TreeMap<>();

    /** The window that ends at end, an empty one if it held no order so far. */
    Window get(long end) {
        return byEnd.computeIfAbsent(end, Window::new);
    }

    /** Forgets the windows that end at end or before, and hands each over first. */
    void dropThrough(long end, Consumer<Window> last) {
        SortedMap<Long, Window> dropped = byEnd.headMap(end, true);
        dropped.values().forEach(last);
        dropped.clear();
    }

    void write(DataOutput out) throws IOException {
        out.writeInt(byEnd.size());
        for (Window w : byEnd.values()) {
            out.writeLong(w.end);
            out.writeBoolean(w.dirty);
            out.writeBoolean(w.estimated);
            out.writeInt(w.cells.size());
            for (Cell c : w.cells) {
                c.figures.write(out);
                c.total.write(out);
                out.writeInt(c.revision);
                out.writeBoolean(c.dirty);
                out.writeLong(c.shown);
            }
        }
    }

    void read(DataInput in) throws IOException {
        for (int n = in.readInt(); n > 0; n--) {
            Window w = get(in.readLong());
            w.dirty = in.readBoolean();
            w.estimated = in.readBoolean();
            for (int k = in.readInt(); k > 0; k--) {
                Cell c = new Cell();
                c.figures.read(in);
                c.total.read(in);
                c.revision = in.readInt();
                c.dirty = in.readBoolean();
                c.shown = in.readLong();
                w.cells.add(c);
            }
        }
    }
}
