package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** The windows that the watermark has passed and that corrections can still reach, by their end. */
final class ClosedWindows {
    /** One scope of a closed window. */
    static final class Cell {
        final Sums.Figures figures = new Sums.Figures();
        final Sums total = new Sums();
        int revision = -1; // -1: not written yet
        boolean dirty; // to be written by the next flush
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

    void dropThrough(long end) {
        byEnd.headMap(end, true).clear();
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
                w.cells.add(c);
            }
        }
    }
}
