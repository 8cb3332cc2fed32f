package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The last hour in whole minutes, and the peaks. */
final class History {
    private static final int MINUTES = 60;
    private static final long SPAN = 60L * (MINUTES - 1); // from the first minute's end to the last one's

    /** The highest final windows of one scope; of equal ones the earliest. */
    static final class Peaks {
        final long[] values = new long[5];
        final long[] ends = new long[5];

        private void raise(int i, long value, long end) {
            if (value > values[i] || value == values[i] && value > 0 && end < ends[i]) {
                values[i] = value;
                ends[i] = end;
            }
        }

        void raise(Sums.Figures f, long end) {
            long[] figures = {f.orders, f.sales, f.shoppers, f.distanceM, f.carbonG};
            for (int i = 0; i < figures.length; i++) {
                raise(i, figures[i], end);
            }
        }

        private Peaks copy() {
            Peaks p = new Peaks();
            System.arraycopy(values, 0, p.values, 0, values.length);
            System.arraycopy(ends, 0, p.ends, 0, ends.length);
            return p;
        }
    }

    /** One key of the topic. */
    private static final class Scope {
        final Peaks settled = new Peaks(); // of windows that no correction can reach any more
        long active = Times.NONE; // last whole minute that held an order
        long written = Times.NONE; // window_end of the last record
        boolean dirty; // a minute of the last record changed
    }

    private final TreeMap<Long, Map<Integer, Sums.Figures>> minutes = new TreeMap<>(); // by end, those with an order
    private final List<Scope> scopes = new ArrayList<>();
    private long newest = Times.NONE;

    void grow(int n) {
        while (scopes.size() < n) {
            scopes.add(new Scope());
        }
    }

    /** Makes newest the newest whole minute. */
    void advance(long minute) {
        newest = Math.max(newest, minute);
    }

    /** Takes a written window into the minutes, if it ends with a whole one, and notes whether a record that was written before says otherwise. */
    void noteFinal(long end, int id, Sums.Figures f) {
        if (end > newest) {
            return;
        }
        Scope s = scopes.get(id);
        s.dirty = s.dirty || end <= s.written;
        if (end == Times.minute(end)) {
            Sums.Figures copy = new Sums.Figures();
            copy.set(f);
            minutes.computeIfAbsent(end, e -> new HashMap<>()).put(id, copy);
            s.active = Math.max(s.active, end);
        }
    }

    /** Raises the peaks to a window that no correction can reach any more. */
    void settle(ClosedWindows.Window w) {
        for (int id = 0; id < w.cells.size(); id++) {
            if (w.cells.get(id).figures.orders > 0) {
                scopes.get(id).settled.raise(w.cells.get(id).written(), w.end);
            }
        }
    }

    /**
     * The peaks of a scope up to the newest whole minute. They are those of windows as they are now, and not as
     * they were when they were written first: a correction can bring a window over the number of shoppers that
     * are counted, and its estimate can be less than what it had.
     */
    private Peaks peaks(int id, ClosedWindows closed) {
        Peaks p = scopes.get(id).settled.copy();
        for (ClosedWindows.Window w : closed.byEnd.headMap(newest, true).values()) {
            if (id < w.cells.size() && w.cells.get(id).figures.orders > 0) {
                p.raise(w.cells.get(id).written(), w.end);
            }
        }
        return p;
    }

    /** Writes a record for each scope that has a new whole minute or a corrected one. */
    void write(Scopes names, ClosedWindows closed, Settings settings, long now, List<Output> out) {
        for (int id : names.sorted) {
            Scope s = scopes.get(id);
            if (s.active == Times.NONE) {
                continue;
            }
            long end = Math.min(newest, s.active + SPAN);
            if (end <= s.written && !s.dirty) {
                continue;
            }
            s.written = end;
            s.dirty = false;
            long[][] values = new long[5][MINUTES];
            minutes.subMap(end - SPAN, true, end, true).forEach((minute, cells) -> {
                Sums.Figures f = cells.get(id);
                if (f != null) {
                    int i = (int) ((minute - end + SPAN) / 60);
                    values[0][i] = f.orders;
                    values[1][i] = f.sales;
                    values[2][i] = f.shoppers;
                    values[3][i] = f.distanceM;
                    values[4][i] = f.carbonG;
                }
            });
            String name = names.names.get(id);
            out.add(new Output("history", name, Json.history(name, end, settings.currency(), values, peaks(id, closed), now)));
        }
    }

    /** Forgets the minutes that no record can show any more. */
    void prune() {
        if (newest != Times.NONE) {
            minutes.headMap(newest - SPAN - 60, true).clear();
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(newest);
        out.writeInt(minutes.size());
        for (Map.Entry<Long, Map<Integer, Sums.Figures>> m : minutes.entrySet()) {
            out.writeLong(m.getKey());
            out.writeInt(m.getValue().size());
            for (Map.Entry<Integer, Sums.Figures> cell : m.getValue().entrySet()) {
                out.writeInt(cell.getKey());
                cell.getValue().write(out);
            }
        }
        for (Scope s : scopes) {
            for (int i = 0; i < s.settled.values.length; i++) {
                out.writeLong(s.settled.values[i]);
                out.writeLong(s.settled.ends[i]);
            }
            out.writeLong(s.active);
            out.writeLong(s.written);
            out.writeBoolean(s.dirty);
        }
    }

    void read(DataInput in) throws IOException {
        newest = in.readLong();
        for (int n = in.readInt(); n > 0; n--) {
            Map<Integer, Sums.Figures> cells = new HashMap<>();
            minutes.put(in.readLong(), cells);
            for (int k = in.readInt(); k > 0; k--) {
                Sums.Figures f = new Sums.Figures();
                cells.put(in.readInt(), f);
                f.read(in);
            }
        }
        for (Scope s : scopes) {
            for (int i = 0; i < s.settled.values.length; i++) {
                s.settled.values[i] = in.readLong();
                s.settled.ends[i] = in.readLong();
            }
            s.active = in.readLong();
            s.written = in.readLong();
            s.dirty = in.readBoolean();
        }
    }
}
