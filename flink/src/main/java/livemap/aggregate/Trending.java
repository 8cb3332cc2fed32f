package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import livemap.orders.Utf8;

/** The topic trending: the ten highest products of each scope at whole minutes. */
final class Trending {
    private static final int ITEMS = 10;
    private static final long MIN_UNITS = 10;
    private static final long RECENT = 300; // seconds

    /** A product in a list. */
    record Ranked(String product, Classification.Label label, long units, double score) {
        /** The order of a list: highest score, most units, lowest product id. It leaves no ties. */
        boolean before(Ranked o) {
            if (score != o.score) {
                return score > o.score;
            }
            return units != o.units ? units > o.units : Utf8.compare(product, o.product) < 0;
        }
    }

    final Units units;
    private final Set<String> had = new TreeSet<>(Utf8::compare); // scopes whose last final list was not empty
    private final Map<String, Long> shown = new HashMap<>(); // scopes whose last list was not empty, and its hash
    private long earlyAt = Times.NONE; // wall clock of the last early lists

    Trending(int maxCells) {
        units = new Units(maxCells);
    }

    /** Units of five minutes and of the hour, each as per hour and damped; one IEEE division. */
    static double score(long u5, long u60) {
        return (double) (12 * (u5 + 20)) / (double) (u60 + 240);
    }

    private Map<String, List<Ranked>> rank(long end, Scopes scopes, Classification classification) {
        Map<String, List<Ranked>> lists = new TreeMap<>(Utf8::compare);
        units.sums(end - RECENT, end).forEach((key, u5) -> {
            if (u5 < MIN_UNITS) {
                return;
            }
            String product = units.product(key);
            Classification.Label label = classification.find(product, end * 1000);
            if (label == null) {
                label = new Classification.Label(product, Classification.UNCLASSIFIED);
            }
            Ranked r = new Ranked(product, label, u5, score(u5, units.hourTo(key, end)));
            insert(lists.computeIfAbsent(scopes.names.get(Units.scope(key)), n -> new ArrayList<>()), r);
            if (Units.scope(key) == Scopes.WORLD) {
                insert(lists.computeIfAbsent("category/" + label.category(), n -> new ArrayList<>()), r);
            }
        });
        return lists;
    }

    private static void insert(List<Ranked> list, Ranked r) {
        if (list.size() == ITEMS) {
            if (!r.before(list.get(ITEMS - 1))) {
                return;
            }
            list.remove(ITEMS - 1);
        }
        int at = list.size();
        while (at > 0 && r.before(list.get(at - 1))) {
            at--;
        }
        list.add(at, r);
    }

    /** Whether the watermark has passed a whole minute since the last call of settle. */
    boolean due(long watermark) {
        return watermark != Times.NONE && (units.closed == Times.NONE || watermark >= (units.closed + 60) * 1000);
    }

    /** Writes the final lists of every whole minute that the watermark has passed. They hold exactly the orders accepted until then. */
    void settle(long watermark, Scopes scopes, Classification classification, long now, List<Output> out) {
        long limit = Times.minute(Times.second(watermark));
        if (units.closed == Times.NONE) {
            units.closed = units.first() == Times.NONE ? limit : Math.min(limit, units.first());
        }
        for (long end = units.next(); end != Times.NONE && end <= limit; end = units.next()) {
            units.close(end);
            Map<String, List<Ranked>> lists = rank(end, scopes, classification);
            for (String name : names(lists, had)) {
                List<Ranked> list = lists.getOrDefault(name, List.of());
                out.add(new Output("trending", name, Json.trending(name, end, true, Json.items(list), now)));
                had.remove(name);
                shown.remove(name);
                if (!list.isEmpty()) {
                    had.add(name);
                    shown.put(name, 0L);
                }
            }
        }
        if (units.closed < limit) {
            units.close(limit);
        }
    }

    /** Writes the lists of the minute under way, once all minutes before it are final. */
    void early(long highest, Settings settings, Scopes scopes, Classification classification, long now, List<Output> out) {
        boolean due = now - earlyAt >= settings.trendInterval();
        if (!due || units.closed == Times.NONE || Times.minute(Times.second(highest)) != units.closed) {
            return;
        }
        earlyAt = now;
        long end = units.closed + 60;
        Map<String, List<Ranked>> lists = rank(end, scopes, classification);
        for (String name : names(lists, shown.keySet())) {
            List<Ranked> list = lists.getOrDefault(name, List.of());
            String items = Json.items(list);
            long hash = XxHash.of(items) ^ end;
            hash = hash == 0 ? 1 : hash;
            if (shown.getOrDefault(name, 0L) == hash) {
                continue;
            }
            shown.remove(name);
            if (!list.isEmpty()) {
                shown.put(name, hash);
            }
            out.add(new Output("trending", name, Json.trending(name, end, false, items, now)));
        }
    }

    private static Set<String> names(Map<String, List<Ranked>> lists, Set<String> shown) {
        Set<String> names = new TreeSet<>(Utf8::compare);
        names.addAll(lists.keySet());
        names.addAll(shown);
        return names;
    }

    void write(DataOutput out) throws IOException {
        units.write(out);
        out.writeLong(earlyAt);
        out.writeInt(had.size());
        for (String name : had) {
            out.writeUTF(name);
        }
        out.writeInt(shown.size());
        for (Map.Entry<String, Long> s : shown.entrySet()) {
            out.writeUTF(s.getKey());
            out.writeLong(s.getValue());
        }
    }

    void read(DataInput in) throws IOException {
        units.read(in);
        earlyAt = in.readLong();
        for (int n = in.readInt(); n > 0; n--) {
            had.add(in.readUTF());
        }
        for (int n = in.readInt(); n > 0; n--) {
            shown.put(in.readUTF(), in.readLong());
        }
    }
}
