package livemap.aggregate;

import java.util.List;
import livemap.orders.GoNumbers;
import livemap.orders.Times;

/** Writes the records of the output topics as package feed has them: the same fields in the same order, the same bytes. */
final class Json {
    private Json() {}

    static String window(String scope, long end, int revision, Sums.Figures f, Sums total, boolean isFinal, Settings s, long emitted) {
        StringBuilder b = new StringBuilder(420);
        b.append("{\"v\":1,\"scope\":\"").append(scope).append("\",\"window_end\":\"");
        Times.append(b, end * 1000);
        b.append('"');
        if (revision >= 0) {
            b.append(",\"revision\":").append(revision);
        }
        b.append(",\"orders\":").append(f.orders).append(",\"sales\":").append(f.sales);
        b.append(",\"currency\":\"").append(s.currency()).append("\",\"shoppers\":").append(f.shoppers);
        b.append(",\"distance_m\":").append(f.distanceM).append(",\"carbon_g\":").append(f.carbonG);
        b.append(",\"final\":").append(isFinal).append(",\"total\":{\"since\":\"");
        Times.append(b, s.totalSince());
        b.append("\",\"orders\":").append(total.orders).append(",\"sales\":").append(total.sales);
        b.append(",\"distance_m\":").append(total.distanceM).append(",\"carbon_g\":").append(total.carbonG);
        return end(b.append('}'), emitted);
    }

    private static String end(StringBuilder b, long emitted) {
        b.append(",\"emitted_at\":\"");
        Times.append(b, emitted);
        return b.append("\"}").toString();
    }

    static String history(String scope, long end, String currency, long[][] values, History.Peaks peaks, long emitted) {
        String[] names = {"orders", "sales", "shoppers", "distance_m", "carbon_g"};
        StringBuilder b = new StringBuilder(1024);
        b.append("{\"v\":1,\"scope\":\"").append(scope).append("\",\"window_end\":\"");
        Times.append(b, end * 1000);
        b.append("\",\"currency\":\"").append(currency).append('"');
        for (int i = 0; i < names.length; i++) {
            b.append(",\"").append(names[i]).append("\":[");
            for (int k = 0; k < values[i].length; k++) {
                b.append(k == 0 ? "" : ",").append(values[i][k]);
            }
            b.append(']');
        }
        b.append(",\"peak\":{");
        for (int i = 0; i < names.length; i++) {
            b.append(i == 0 ? "\"" : ",\"").append(names[i]).append("\":{\"value\":").append(peaks.values[i]).append(",\"window_end\":\"");
            Times.append(b, peaks.ends[i] * 1000);
            b.append("\"}");
        }
        return end(b.append('}'), emitted);
    }

    static String items(List<Trending.Ranked> list) {
        StringBuilder b = new StringBuilder(64 + 160 * list.size()).append('[');
        for (int i = 0; i < list.size(); i++) {
            Trending.Ranked r = list.get(i);
            b.append(i == 0 ? "" : ",").append("{\"rank\":").append(i + 1).append(",\"product\":");
            string(b, r.product()).append(",\"title\":");
            string(b, r.label().title()).append(",\"category\":");
            string(b, r.label().category()).append(",\"units\":").append(r.units());
            b.append(",\"score\":").append(GoNumbers.fourDecimals(r.score()));
            b.append(",\"change\":").append((long) GoNumbers.round(100 * (r.score() - 1))).append('}');
        }
        return b.append(']').toString();
    }

    static String trending(String scope, long end, boolean isFinal, String items, long emitted) {
        StringBuilder b = new StringBuilder(160 + items.length());
        string(b.append("{\"v\":1,\"scope\":"), scope).append(",\"window_end\":\"");
        Times.append(b, end * 1000);
        return end(b.append("\",\"final\":").append(isFinal).append(",\"items\":").append(items), emitted);
    }

    static StringBuilder arc(StringBuilder b, long arc, long n) {
        b.append("{\"from\":[");
        degrees(degrees(b, arc, 0).append(','), arc, 1).append("],\"to\":[");
        return degrees(degrees(b, arc, 2).append(','), arc, 3).append("],\"n\":").append(n).append('}');
    }

    private static StringBuilder degrees(StringBuilder b, long arc, int n) {
        double d = Entry.degrees(arc, n);
        return d == Math.rint(d) ? b.append((long) d) : b.append(d);
    }

    static StringBuilder latest(StringBuilder b, Batch.Latest l, String title) {
        Times.append(b.append("{\"at\":\""), l.at());
        string(b.append("\",\"title\":"), title).append(",\"amount\":").append(l.amount()).append(",\"currency\":");
        string(b, l.currency());
        string(b.append(",\"from\":"), l.from());
        return string(b.append(",\"to\":"), l.to()).append('}');
    }

    static String shipments(String scope, long at, long shown, long of, String arcs, String latest, long emitted) {
        StringBuilder b = new StringBuilder(200 + arcs.length() + latest.length());
        b.append("{\"v\":1,\"scope\":\"").append(scope).append("\",\"at\":\"");
        Times.append(b, at);
        b.append("\",\"shown\":").append(shown).append(",\"of\":").append(of);
        return end(b.append(",\"arcs\":[").append(arcs).append("],\"latest\":[").append(latest).append(']'), emitted);
    }

    /** Quotes as Go's encoding/json does, which also escapes what HTML could misread. */
    static StringBuilder string(StringBuilder b, String s) {
        b.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> b.append("\\\"");
                case '\\' -> b.append("\\\\");
                case '\b' -> b.append("\\b");
                case '\f' -> b.append("\\f");
                case '\n' -> b.append("\\n");
                case '\r' -> b.append("\\r");
                case '\t' -> b.append("\\t");
                case '<', '>', '&', '\u2028', '\u2029' -> b.append(String.format("\\u%04x", (int) c));
                default -> {
                    if (c < ' ') {
                        b.append(String.format("\\u%04x", (int) c));
                    } else {
                        b.append(c);
                    }
                }
            }
        }
        return b.append('"');
    }
}
