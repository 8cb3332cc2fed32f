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

        void merge(Peaks o) {
            for (int i = 0; i < values.length; i++) {
                raise(i, o.values[i], o.ends[i]);
            }
        }
    }

    /** One key of the topic. */
    private static final class Scope {
        Peaks peaks = new Peaks(); // of windows up to the newest whole minute
        Peaks pending = new Peaks(); // of windows after it: they belong to the next record
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

    /** Makes newest the newest whole minute. A record holds the peaks of the windows up to its own end. */
    void advance(long minute) {
        if (minute <= newest) {
            return;
        }
        newest = minute;
        for (Scope s : scopes) {
            s.peaks.merge(s.pending);
            s.pending = new Peaks();
        }
    }

    /** Takes a written window into the peaks and, if it ends with a whole minute, into the minutes. */
    void noteFinal(long end, int id, Sums.Figures f) {
        Scope s = scopes.get(id);
        if (end > newest) {
            s.pending.raise(f, end);
            return;
        }
        s.peaks.raise(f, end);
        s.dirty = s.dirty || end <= s.written;
        if (end == Times.minute(end)) {
            Sums.Figures copy = new Sums.Figures();
            copy.set(f);
            minutes.computeIfAbsent(end, e -> new HashMap<>()).put(id, copy);
            s.active = Math.max(s.active, end);
        }
    }

    /** Writes a record for each scope that has a new whole minute or a corrected one. */
    void write(Scopes names, Settings settings, long now, List<Output> out) {
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
            out.add(new Output("history", name, Json.history(name, end, settings.currency(), values, s.peaks, now)));
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
            for (Peaks p : new Peaks[] {s.peaks, s.pending}) {
                for (int i = 0; i < p.values.length; i++) {
                    out.writeLong(p.values[i]);
                    out.writeLong(p.ends[i]);
                }
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
            for (Peaks p : new Peaks[] {s.peaks, s.pending}) {
                for (int i = 0; i < p.values.length; i++) {
                    p.values[i] = in.readLong();
                    p.ends[i] = in.readLong();
                }
            }
            s.active = in.readLong();
            s.written = in.readLong();
            s.dirty = in.readBoolean();
        }
    }
}
