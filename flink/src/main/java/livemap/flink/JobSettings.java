package livemap.flink;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import livemap.aggregate.Money;
import livemap.aggregate.Rates;
import livemap.aggregate.Settings;
import livemap.orders.Times;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.Path;

/**
 * The settings of the job: those of livemap aggregate under the same names. They reach the functions as job
 * parameters, which are texts.
 */
final class JobSettings {
    private static final String PREFIX = "livemap.";
    static final String KAFKA_PROPERTY = "kafka-property";

    private static final Map<String, String> DEFAULTS = new TreeMap<>(Map.of(
            "kafka", "", "topic-prefix", "", "classification", "", "rates", "", "currency", "USD",
            "disorder", "2s", "lateness", "60s", "idle", "5s", "total-since", "1970-01-01T00:00:00Z", KAFKA_PROPERTY, ""));

    private final Map<String, String> values;

    private JobSettings(Map<String, String> values) {
        this.values = values;
    }

    /** Reads flags; -Dkey=value go to Flink's configuration. The exception reports everything that is wrong. */
    static JobSettings parse(String[] args, Map<String, String> flink) {
        Map<String, String> values = new TreeMap<>(DEFAULTS);
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].startsWith("-D") && args[i].indexOf('=') > 2) {
                int at = args[i].indexOf('=');
                flink.put(args[i].substring(2, at), args[i].substring(at + 1));
                continue;
            }
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            String value = null;
            if (name.indexOf('=') > 0) {
                value = name.substring(name.indexOf('=') + 1);
                name = name.substring(0, name.indexOf('='));
            }
            if (!DEFAULTS.containsKey(name)) {
                wrong.add(args[i] + ": no such flag; there are --" + String.join(", --", DEFAULTS.keySet()) + " and -Dkey=value for Flink");
                continue;
            }
            if (value == null && ++i == args.length) {
                wrong.add("--" + name + ": has no value");
                continue;
            }
            value = value == null ? args[i] : value;
            values.put(name, name.equals(KAFKA_PROPERTY) ? (values.get(name) + "\n" + value).strip() : value);
        }
        JobSettings s = new JobSettings(values);
        s.check(wrong);
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException(String.join("\n", wrong));
        }
        return s;
    }

    private void check(List<String> wrong) {
        if (get("kafka").isEmpty()) {
            wrong.add("--kafka: is needed, host:port of a broker");
        }
        if (!get("topic-prefix").matches("[A-Za-z0-9._-]{0,64}")) {
            wrong.add("--topic-prefix is \"" + get("topic-prefix") + "\": allowed are letters, digits, dot, dash and underscore");
        }
        for (String attempt : new String[] {"aggregate", "properties", "money"}) {
            try {
                switch (attempt) {
                    case "aggregate" -> aggregate();
                    case "properties" -> properties();
                    default -> money();
                }
            } catch (IllegalArgumentException | IOException e) {
                wrong.add(e.getMessage());
            }
        }
    }

    String get(String name) {
        return values.get(name);
    }

    Map<String, String> asJobParameters() {
        Map<String, String> parameters = new HashMap<>();
        values.forEach((name, value) -> parameters.put(PREFIX + name, value));
        return parameters;
    }

    static JobSettings of(org.apache.flink.table.functions.FunctionContext context) {
        Map<String, String> values = new TreeMap<>();
        DEFAULTS.forEach((name, value) -> values.put(name, context.getJobParameter(PREFIX + name, value)));
        return new JobSettings(values);
    }

    static JobSettings of(Map<String, String> parameters) {
        Map<String, String> values = new TreeMap<>();
        DEFAULTS.forEach((name, value) -> values.put(name, parameters.getOrDefault(PREFIX + name, value)));
        return new JobSettings(values);
    }

    Settings aggregate() {
        long since = Times.parse(get("total-since"));
        if (since == Times.NONE) {
            throw new IllegalArgumentException("--total-since is \"" + get("total-since") + "\": wants a time such as " + Times.EXAMPLE);
        }
        return new Settings(get("currency"), millis("disorder"), millis("lateness"), millis("idle"), since,
                Settings.EARLY_INTERVAL, Settings.TREND_INTERVAL, Settings.MAX_SHOPPER_PAIRS, Settings.MAX_PRODUCT_CELLS);
    }

    /** Reads a duration as livemap does: 2s, 1m30s, 250ms, 0. */
    private long millis(String name) {
        Matcher parts = Pattern.compile("\\G(\\d+(?:\\.\\d+)?)(h|ms|m|s)").matcher(get(name));
        double millis = 0;
        int end = 0;
        while (parts.find()) {
            end = parts.end();
            millis += Double.parseDouble(parts.group(1)) * switch (parts.group(2)) {
                case "h" -> 3_600_000;
                case "m" -> 60_000;
                case "s" -> 1000;
                default -> 1;
            };
        }
        if (!get(name).equals("0") && (end == 0 || end < get(name).length())) {
            throw new IllegalArgumentException("--" + name + " is \"" + get(name) + "\": wants a duration such as 2s");
        }
        return (long) millis;
    }

    /** What converts amounts, with the rates file read. */
    Money money() throws IOException {
        String file = get("rates");
        if (file.isEmpty()) {
            return new Money(get("currency"), null);
        }
        Path path = new Path(file);
        try (FSDataInputStream in = path.getFileSystem().open(path)) {
            return new Money(get("currency"), Rates.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8)));
        } catch (IllegalArgumentException | IOException e) {
            throw new IOException("--rates " + file + ": " + e.getMessage(), e);
        }
    }

    /** Properties of every Kafka client: the address, and what --kafka-property names. */
    Properties properties() {
        Properties p = new Properties();
        p.put("bootstrap.servers", get("kafka"));
        for (String line : get(KAFKA_PROPERTY).split("\n")) {
            int at = line.indexOf('=');
            if (at > 0) {
                p.put(line.substring(0, at), line.substring(at + 1));
            } else if (!line.isEmpty()) {
                throw new IllegalArgumentException("--" + KAFKA_PROPERTY + " is \"" + line + "\": wants name=value");
            }
        }
        return p;
    }

    static Duration patience() {
        return Duration.ofSeconds(60);
    }
}
