package livemap.aggregate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import livemap.orders.Order;
import livemap.orders.OrderDecoder;
import org.junit.jupiter.api.Test;

/**
 * The Go core's golden file of estimated shoppers (aggregate/engines_test.go): the same orders must give the
 * same windows, minutes and peaks here, whenever they are written, and over restarts.
 */
class EnginesTest {
    private static final int PARTITIONS = 2;
    private static final Pattern WINDOW = Pattern.compile("\"window_end\":\"([^\"]*)\",.*?\"orders\":(\\d+),.*?\"shoppers\":(\\d+),");

    private static List<String[]> golden() throws IOException {
        return Files.readAllLines(Path.of("../aggregate/testdata/engines.golden")).stream().map(line -> line.split("\t")).toList();
    }

    private static Aggregator restarted(Aggregator a, Settings settings) throws IOException {
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        a.write(new DataOutputStream(state));
        return Aggregator.read(settings, new DataInputStream(new ByteArrayInputStream(state.toByteArray())));
    }

    /** Plays the orders, flushing as the file has it or with every so many orders, and compares what was written last with the file. */
    private static void play(int flushEvery, boolean restarts) throws Exception {
        Map<String, String> seen = new TreeMap<>(), expected = new TreeMap<>();
        Aggregator a = null;
        Settings settings = null;
        int n = 0;
        for (String[] line : golden()) {
            switch (line[0]) {
                case "limit" -> {
                    settings = new Settings("USD", 2000, 60_000, Long.MAX_VALUE, livemap.orders.Times.parse("2026-01-05T00:00:00Z"),
                            Settings.EARLY_INTERVAL, Settings.TREND_INTERVAL, Integer.parseInt(line[1]), Settings.MAX_PRODUCT_CELLS);
                    a = new Aggregator(settings);
                    take(a.tick(0, new boolean[PARTITIONS]), seen); // tells how many partitions there are
                }
                case "order" -> {
                    Order o = OrderDecoder.decode(line[2].getBytes(StandardCharsets.UTF_8));
                    Verdict v = a.add(Entry.of(o, Integer.parseInt(line[1]), n++, o.amount));
                    assertTrue(v == Verdict.ACCEPTED || v == Verdict.CORRECTED || v == Verdict.LATE, v.toString());
                    if (flushEvery > 0 && n % flushEvery == 0) {
                        take(a.tick(o.at, new boolean[PARTITIONS]), seen);
                    }
                }
                case "flush" -> {
                    if (flushEvery == 0) {
                        take(a.tick(Long.parseLong(line[1]), new boolean[PARTITIONS]), seen);
                    }
                }
                case "window" -> expected.put("window " + line[1], line[2] + " orders, " + line[3] + " shoppers");
                case "history" -> expected.put("history " + line[1], line[2]);
                default -> assertEquals("estimate", line[0]);
            }
            if (restarts && a != null) {
                a = restarted(a, settings);
            }
        }
        take(a.tick(livemap.orders.Times.parse("2026-01-05T00:10:00Z"), new boolean[PARTITIONS]), seen);
        assertTrue(expected.size() > 500, "only " + expected.size() + " windows and keys");
        assertEquals(String.join("\n", lines(expected)), String.join("\n", lines(seen)));
    }

    private static List<String> lines(Map<String, String> m) {
        List<String> lines = new ArrayList<>();
        m.forEach((key, value) -> lines.add(key + ": " + value));
        return lines;
    }

    private static void take(List<Output> records, Map<String, String> seen) {
        for (Output r : records) {
            if (r.topic().equals("history")) {
                seen.put("history " + r.key(), r.value().substring(0, r.value().indexOf(",\"emitted_at\"")));
            } else if (r.topic().equals("windows")) {
                Matcher w = WINDOW.matcher(r.value());
                assertTrue(w.find(), r.value());
                seen.put("window " + r.key() + " " + w.group(1), w.group(2) + " orders, " + w.group(3) + " shoppers");
            }
        }
    }

    @Test
    void flushesAsInGo() throws Exception {
        play(0, false);
    }

    @Test
    void flushTimesDoNotShow() throws Exception {
        play(1, false);
        play(7, false);
        play(Integer.MAX_VALUE, false);
    }

    @Test
    void restartsDoNotShow() throws Exception {
        play(0, true);
        play(3, true);
    }

    @Test
    void estimatesAreGos() throws Exception {
        int compared = 0;
        for (String[] line : golden()) {
            if (!line[0].equals("estimate")) {
                continue;
            }
            Panes panes = new Panes();
            for (int i = 0; i < Integer.parseInt(line[1]); i++) {
                panes.openAt(0).notePair(XxHash.of("shopper-" + i), 1);
            }
            assertEquals(Long.parseLong(line[2]), new Sketches().estimates(panes, 1, 2)[Scopes.WORLD], line[1] + " shoppers");
            compared++;
        }
        assertTrue(compared >= 4, compared + " estimates");
    }
}
