package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Panes, the sliding window over them, closed windows and their corrections, and the running minute: the topics
 * windows and metrics.
 */
final class Windows {
    /** How many seconds past the closed windows shoppers are tracked at least. */
    private static final int MIN_TRACKED_AHEAD = 64;

    /** What was emitted last of one metrics key. */
    private static final class Running {
        long end = Times.NONE;
        final Sums.Figures figures = new Sums.Figures();
        final Sums total = new Sums();
        boolean isFinal = true;
        long wall = Times.NONE; // when an early record was emitted last
    }

    private final Settings settings;
    private final Scopes scopes;
    private final History history;
    private final long since; // second
    private final long lateness;
    private final Panes panes = new Panes();
    private final Shoppers shoppers;
    private final Sketches sketches = new Sketches();
    private final Slider slide = new Slider(); // the closed windows
    private final Slider ahead = new Slider(); // scratch: slide, moved on to the head
    final ClosedWindows closed = new ClosedWindows();
    private final List<Running> running = new ArrayList<>(); // by scope

    Windows(Settings settings, Scopes scopes, History history) {
        this.settings = settings;
        this.scopes = scopes;
        this.history = history;
        since = Times.second(settings.totalSince());
        lateness = settings.lateness();
        shoppers = new Shoppers((int) reach() + MIN_TRACKED_AHEAD);
        grow();
    }

    void grow() {
        slide.grow(scopes.size());
        history.grow(scopes.size());
        while (running.size() < scopes.size()) {
            running.add(new Running());
        }
    }

    /** How many seconds before the closed windows' end a pane can still matter. */
    private long reach() {
        return (lateness + 999) / 1000 + Times.WINDOW + 1;
    }

    boolean isClosed(long start) {
        return start < slide.end;
    }

    /** Takes an order into its open pane. */
    void store(Entry e, Sums o, int country) {
        long start = Times.second(e.at);
        if (shoppers.base == Times.NONE || start < shoppers.base) {
            trackAgain(start - Times.WINDOW); // before the first windows are closed nothing says how far back orders can be
        }
        fill(panes.openAt(start), e, o, country);
    }

    /** Takes an order into a closed pane and every closed window after it. */
    void correct(Entry e, Sums o, int country) {
        long start = Times.second(e.at);
        int[] ids = {Scopes.WORLD, country};
        for (long end = start + 1; end <= slide.end; end++) {
            ClosedWindows.Window w = closed.get(end);
            for (int id : ids) {
                ClosedWindows.Cell c = cell(w, id);
                if (end <= start + Times.WINDOW) {
                    c.figures.add(o);
                }
                if (start >= since) {
                    c.total.add(o);
                }
                w.mark(c);
            }
        }
        for (int id : ids) {
            if (start >= slide.end - Times.WINDOW) {
                slide.now.get(id).add(o);
            }
            if (start >= since) {
                slide.total.get(id).add(o);
            }
        }
        fill(panes.closedAt(start), e, o, country);
    }

    private void fill(Panes.Pane p, Entry e, Sums o, int country) {
        p.at(Scopes.WORLD).add(o);
        p.at(country).add(o);
        if (!shoppers.covers(p.start) || p.saturated || track(p, e.shopperHash, country)) {
            p.notePair(e.shopperHash, country);
        }
    }

    /** Takes a pair into the shopper table and the windows that gain; whether the pair is new to the pane. */
    private boolean track(Panes.Pane p, long hash, int country) {
        if (!shoppers.add(Shoppers.key(hash, country, scopes.code(country)), p.start)) {
            return false; // nor is it new to the world
        }
        gain(country, p.start);
        if (shoppers.add(Shoppers.key(hash, Scopes.WORLD, (short) 0), p.start)) {
            gain(Scopes.WORLD, p.start);
        }
        return true;
    }

    /** Writes down which windows hold one more shopper: as steps at the panes for those to come, directly in the closed. */
    private void gain(int id, long start) {
        long from = shoppers.from, to = shoppers.to, prev = shoppers.prev, next = shoppers.next;
        if (from > to) {
            return;
        }
        Panes.Cell enters = panes.get(start).at(id);
        if (prev != Times.NONE && prev + Times.WINDOW >= start) {
            panes.get(prev).at(id).leave++;
        } else {
            enters.enter++;
        }
        if (next != Times.NONE && next <= start + Times.WINDOW) {
            panes.get(next).at(id).enter--;
        } else {
            enters.leave--;
        }
        for (long end = from; end <= Math.min(to, slide.end); end++) {
            cell(closed.get(end), id).figures.shoppers++;
        }
        if (from <= slide.end && slide.end <= to) {
            slide.now.get(id).shoppers++;
        }
    }

    /** A scope's cell of a closed window. One that was not there held no order: its totals are the scope's without the panes that came after. */
    private ClosedWindows.Cell cell(ClosedWindows.Window w, int id) {
        while (w.cells.size() <= id) {
            int missing = w.cells.size();
            ClosedWindows.Cell c = new ClosedWindows.Cell();
            c.total.set(slide.total.get(missing));
            for (Panes.Pane p : panes.from(w.end).values()) {
                if (p.start >= slide.end) {
                    break;
                }
                if (p.start >= since && p.get(missing) != null) {
                    c.total.sub(p.get(missing));
                }
            }
            w.cells.add(c);
        }
        return w.cells.get(id);
    }

    /** Closes every window up to the one that ends at to, in stretches for which shoppers are tracked. */
    void closeThrough(long to) {
        if (slide.end == Times.NONE) {
            long first = panes.next(Times.NONE);
            slide.end = first == Times.NONE ? to : Math.min(first, to);
        }
        long from = slide.end;
        while (slide.end < to) {
            if (slide.empty()) {
                long next = panes.next(slide.end);
                if (next == Times.NONE || next >= to) {
                    slide.end = to;
                    break;
                }
                slide.end = next;
            }
            trackFrom(slide.end - reach());
            slide.advance(Math.min(to, shoppers.base + shoppers.span), panes, since, this::closeWindow);
        }
        trackFrom(slide.end - reach());
        for (Panes.Pane p : panes.from(from).values()) {
            if (p.start >= slide.end) {
                break;
            }
            p.close();
        }
    }

    private void closeWindow(Slider s) {
        ClosedWindows.Window w = closed.get(s.end);
        for (int id = 0; id < s.now.size(); id++) {
            ClosedWindows.Cell c = new ClosedWindows.Cell();
            c.figures.set(s.now.get(id));
            c.total.set(s.total.get(id));
            w.cells.add(c);
            if (c.figures.orders > 0) {
                w.mark(c);
            }
        }
    }

    private void trackFrom(long base) {
        if (shoppers.base == Times.NONE || base < shoppers.base) {
            trackAgain(base);
            return;
        }
        long covered = shoppers.base + shoppers.span;
        shoppers.base = base;
        trackPanes(Math.max(base, covered));
    }

    private void trackAgain(long base) {
        shoppers.reset(base);
        for (Panes.Pane p : panes.all().values()) {
            for (Panes.Cell c : p.cells) {
                if (c != null) {
                    c.enter = c.leave = 0;
                }
            }
        }
        trackPanes(base);
    }

    private void trackPanes(long from) {
        for (Panes.Pane p : panes.from(from).values()) {
            if (!shoppers.covers(p.start)) {
                return;
            }
            if (p.pairs == null || p.saturated) {
                continue;
            }
            Panes.Pairs before = p.pairs, kept = new Panes.Pairs();
            for (int i = 0; i < before.size; i++) {
                if (track(p, before.hashes[i], before.countries[i])) {
                    kept.add(before.hashes[i], before.countries[i]);
                }
            }
            p.pairs = kept;
        }
    }

    /** Writes a windows record for each dirty cell, and carries its figures on to the minutes. */
    void writeClosed(long now, List<Output> out) {
        history.advance(Times.minute(slide.end));
        for (ClosedWindows.Window w : closed.byEnd.values()) {
            if (!w.dirty) {
                continue;
            }
            w.dirty = false;
            long[] estimates = estimates(w);
            for (int id : scopes.sorted) {
                if (id >= w.cells.size() || !w.cells.get(id).dirty) {
                    continue;
                }
                ClosedWindows.Cell c = w.cells.get(id);
                c.dirty = false;
                if (c.figures.orders == 0) {
                    continue;
                }
                c.revision++;
                c.shown = estimates == null ? c.figures.shoppers : estimates[id];
                Sums.Figures shown = c.written();
                history.noteFinal(w.end, id, shown);
                String name = scopes.names.get(id);
                out.add(new Output("windows", name, Json.window(name, w.end, c.revision, shown, c.total, true, settings, now)));
            }
        }
    }

    /** Null if the shoppers of a closed window are counted exactly. When a correction makes it cross the limit, all its scopes are to be written. */
    private long[] estimates(ClosedWindows.Window w) {
        if (w.pairs() <= settings.maxShopperPairs()) {
            return null;
        }
        if (!w.estimated) {
            w.estimated = true;
            w.cells.forEach(c -> c.dirty = true);
        }
        return sketches.estimates(panes, w.end, w.cells.size());
    }

    private static long pairs(Slider s) {
        long n = 0;
        for (Sums.Figures f : s.now) {
            n += f.shoppers;
        }
        return n;
    }

    private void estimate(Slider s) {
        if (pairs(s) > settings.maxShopperPairs()) {
            long[] estimates = sketches.estimates(panes, s.end, s.now.size());
            for (int id = 0; id < estimates.length; id++) {
                s.now.get(id).shoppers = estimates[id];
            }
        }
    }

    /** Writes at most one metrics record per scope: the early one of the head if it is due, otherwise the final one of the newest closed window. */
    void writeRunning(long highest, long now, List<Output> out) {
        ahead.copyFrom(slide);
        if (slide.end == Times.NONE) {
            long first = panes.next(Times.NONE);
            if (first == Times.NONE) {
                return;
            }
            ahead.end = first;
        }
        // The head just holds the newest order, is no further than the clock and than shoppers are tracked.
        long head = Math.min(Math.min(Times.second(highest), Times.second(now)) + 1, shoppers.base + shoppers.span);
        ahead.advance(Math.max(head, slide.end), panes, since, s -> {});
        estimate(ahead);
        Slider last = new Slider();
        last.copyFrom(slide);
        estimate(last);
        for (int id : scopes.sorted) {
            Running r = running.get(id);
            boolean due = now - r.wall >= settings.earlyInterval();
            if (due && ahead.end > slide.end && ahead.end >= r.end && outdated(r, ahead, id, false)) {
                r.wall = now;
                writeRunning(id, ahead, false, now, out);
            } else if (slide.end >= r.end && outdated(r, last, id, true)) {
                writeRunning(id, last, true, now, out);
            }
        }
    }

    /** Whether a window says something that the last record did not. Of an empty one a record with zeros is enough, and one once it is final. */
    private static boolean outdated(Running r, Slider s, int id, boolean isFinal) {
        boolean changed = !r.figures.same(s.now.get(id)) || !r.total.same(s.total.get(id));
        if (s.now.get(id).orders == 0 && r.figures.orders == 0) {
            return changed || isFinal && !r.isFinal;
        }
        return changed || s.end != r.end || isFinal && !r.isFinal;
    }

    private void writeRunning(int id, Slider s, boolean isFinal, long now, List<Output> out) {
        Running r = running.get(id);
        r.end = s.end;
        r.figures.set(s.now.get(id));
        r.total.set(s.total.get(id));
        r.isFinal = isFinal;
        String name = scopes.names.get(id);
        out.add(new Output("metrics", name, Json.window(name, s.end, -1, r.figures, r.total, isFinal, settings, now)));
    }

    /** Finds the panes of which every window that can still be written holds too many pairs to count: their shoppers are tracked no more. */
    void saturate(long watermark) {
        if (shoppers.used <= settings.maxShopperPairs() || slide.end == Times.NONE) {
            return;
        }
        Map<Long, Boolean> over = new HashMap<>();
        closed.byEnd.forEach((end, w) -> over.put(end, w.pairs() > settings.maxShopperPairs()));
        ahead.copyFrom(slide);
        ahead.advance(shoppers.base + shoppers.span + Times.WINDOW, panes, since, s -> over.put(s.end, pairs(s) > settings.maxShopperPairs()));
        long written = Times.second(watermark - lateness); // windows up to here stay as they are
        shoppers.saturatedFrom = shoppers.base;
        shoppers.saturated = new boolean[shoppers.span];
        for (Panes.Pane p : panes.from(shoppers.base).values()) {
            if (!shoppers.covers(p.start)) {
                break;
            }
            long end = Math.max(p.start, written) + 1;
            while (end <= p.start + Times.WINDOW && over.getOrDefault(end, false)) {
                end++;
            }
            p.saturated |= end > p.start + Times.WINDOW;
            shoppers.saturated[(int) (p.start - shoppers.base)] = p.saturated;
        }
    }

    /** Forgets what no coming order can reach. */
    void prune(long earliest) {
        closed.dropThrough(Times.second(earliest), history::settle);
        panes.dropBefore(slide.end - reach());
        history.prune();
    }

    void write(DataOutput out) throws IOException {
        panes.write(out);
        shoppers.write(out);
        slide.write(out);
        closed.write(out);
        for (Running r : running) {
            out.writeLong(r.end);
            r.figures.write(out);
            r.total.write(out);
            out.writeBoolean(r.isFinal);
            out.writeLong(r.wall);
        }
    }

    void read(DataInput in) throws IOException {
        panes.read(in);
        shoppers.read(in);
        slide.read(in);
        closed.read(in);
        for (Running r : running) {
            r.end = in.readLong();
            r.figures.read(in);
            r.total.read(in);
            r.isFinal = in.readBoolean();
            r.wall = in.readLong();
        }
    }
}
