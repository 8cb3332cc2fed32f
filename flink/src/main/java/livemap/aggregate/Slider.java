package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A window that moves over the panes a second at a time and keeps every scope's figures and totals as it goes.
 * One stands at the closed windows; a copy runs ahead over the open panes for the early records.
 */
final class Slider {
    long end = Times.NONE;
    final List<Sums.Figures> now = new ArrayList<>(); // by scope
    final List<Sums> total = new ArrayList<>(); // by scope

    void grow(int n) {
        while (now.size() < n) {
            now.add(new Sums.Figures());
            total.add(new Sums());
        }
    }

    void copyFrom(Slider o) {
        end = o.end;
        grow(o.now.size());
        for (int i = 0; i < o.now.size(); i++) {
            now.get(i).set(o.now.get(i));
            total.get(i).set(o.total.get(i));
        }
    }

    boolean empty() {
        return now.get(Scopes.WORLD).orders == 0;
    }

    private void step(Panes panes, long since) {
        Panes.Pane in = panes.get(end);
        for (int id = 0; in != null && id < in.cells.length; id++) {
            Panes.Cell c = in.cells[id];
            if (c != null) {
                now.get(id).add(c);
                now.get(id).shoppers += c.enter;
                if (in.start >= since) {
                    total.get(id).add(c);
                }
            }
        }
        end++;
        Panes.Pane out = panes.get(end - 1 - Times.WINDOW);
        for (int id = 0; out != null && id < out.cells.length; id++) {
            Panes.Cell c = out.cells[id];
            if (c != null) {
                now.get(id).sub(c);
                now.get(id).shoppers += c.leave;
            }
        }
    }

    /** Moves the end on, visiting each window on the way that holds an order; stretches without are jumped over. */
    void advance(long to, Panes panes, long since, Consumer<Slider> visit) {
        while (end < to) {
            if (empty()) {
                long next = panes.next(end);
                if (next == Times.NONE || next >= to) {
                    end = to;
                    return;
                }
                end = next;
            }
            step(panes, since);
            if (!empty()) {
                visit.accept(this);
            }
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(end);
        for (int i = 0; i < now.size(); i++) {
            now.get(i).write(out);
            total.get(i).write(out);
        }
    }

    void read(DataInput in) throws IOException {
        end = in.readLong();
        for (int i = 0; i < now.size(); i++) {
            now.get(i).read(in);
            total.get(i).read(in);
        }
    }
}
